"""A table reconciled and extended in OpenRefine itself, which asks our service.

    python -m interlingua.benchmarks openrefine

OpenRefine (Debian's package `openrefine`, or any launcher that OPENREFINE names) runs on 127.0.0.1 beside
``interlingua reconcile serve``. This program does over OpenRefine's HTTP interface what its pages do: it makes a
project of a table of the 250 countries of mledoze/countries named in German, Chinese and Arabic, asks for the
service's description, reconciles a column, with and without the subregion of each row, and fetches the capitals of
the matched rows. *Another first* counts the cells whose first candidate in OpenRefine is not the one that the service
gives to a request of ten rows; which rows are asked together is OpenRefine's choice, and tells on the candidates.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch

from .reconcile import COLUMNS, serving, write_table

_PORT = 3399


class OpenRefine:
    """The HTTP interface of an OpenRefine that runs, as its own pages use it.

    Parameters
    ----------
    client : httpx.Client
        With the address of OpenRefine.
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def command(self, name: str, data: dict[str, Any], **query: Any) -> Any:
        """Send a command of the core module and return its answer; raise RuntimeError if it says that it failed."""
        token = self.client.get("/command/core/get-csrf-token").json()["token"]
        query |= {"csrf_token": token}
        answer = self.client.post(f"/command/core/{name}", params=query, data=data).json()
        if isinstance(answer, dict) and answer.get("code") == "error":
            raise RuntimeError(f"OpenRefine's {name} failed: {answer.get('message')}")
        return answer

    def create(self, name: str, table: Path) -> str:
        """Make a project of a CSV file and return its number."""
        token = self.client.get("/command/core/get-csrf-token").json()["token"]
        answer = self.client.post(
            "/command/core/create-project-from-upload",
            params={"csrf_token": token},
            data={"project-name": name, "format": "text/line-based/*sv",
                  "options": json.dumps({"separator": ",", "encoding": "UTF-8", "guessCellValueTypes": False})},
            files={"project-file": (table.name, table.read_bytes(), "text/csv")},
        )  # fmt: skip
        return str(answer.headers["location"].split("project=")[1])

    def finish(self, project: str) -> None:
        """Wait until no process of the project is at work."""
        while True:
            answer = self.client.get("/command/core/get-processes", params={"project": project}).json()
            if not answer["processes"]:
                return
            time.sleep(0.2)

    def rows(self, project: str, limit: int = 1000) -> tuple[list[str], list[list[Any]]]:
        """Return the names of the columns and the cells of each row, None where there is none."""
        models = self.client.get("/command/core/get-models", params={"project": project}).json()
        columns = models["columnModel"]["columns"]
        query = {"project": project, "start": 0, "limit": limit}
        answer = self.client.post("/command/core/get-rows", params=query, data={"engine": _ENGINE}).json()
        recons = answer.get("pool", {}).get("recons", {})
        rows = []
        for each in answer["rows"]:
            cells = [each["cells"][column["cellIndex"]] if column["cellIndex"] < len(each["cells"]) else None
                     for column in columns]  # fmt: skip
            for cell in cells:
                if cell and "r" in cell:
                    cell["r"] = recons[cell["r"]]
            rows.append(cells)
        return [column["name"] for column in columns], rows


_ENGINE = json.dumps({"facets": [], "mode": "row-based"})


@contextlib.contextmanager
def openrefine(folder: Path, port: int = _PORT) -> Iterator[str]:
    """Run OpenRefine with its projects in a folder, and yield its address.

    Raises
    ------
    FileNotFoundError
        If there is none.
    RuntimeError
        If it does not answer within two minutes.
    """
    import httpx

    launcher = os.environ.get("OPENREFINE") or shutil.which("openrefine")
    if launcher is None:
        raise FileNotFoundError("no OpenRefine on the path: install Debian's openrefine, or name one in OPENREFINE")
    command = [launcher, "-i", "127.0.0.1", "-p", str(port), "-d", str(folder), "-x", "refine.headless=true"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )  # its launcher starts Java
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{address}/command/core/get-version").status_code == 200:
                    yield address
                    return
            time.sleep(0.5)
        raise RuntimeError(f"OpenRefine did not answer at {address} within two minutes")
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def run() -> Iterator[Case]:
    """Reconcile in OpenRefine."""
    import httpx

    entries = json.loads((data_folder("countries") / "countries.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "countries.csv"
        write_table(table, entries)
        with (
            serving(table) as service,
            openrefine(Path(folder) / "projects") as address,
            httpx.Client(base_url=address, timeout=120) as client,
        ):
            refine = OpenRefine(client)
            version = client.get("/command/core/get-version").json()["version"]
            for language, code in COLUMNS.items():
                column = Path(folder) / f"{code}.csv"
                _write_column(column, entries, code)
                for given in (False, True):
                    with watch() as working:
                        figures = _reconciled(refine, service, column, entries, subregion=given)
                    yield Case(task="reconciled in OpenRefine",
                               data=f"countries, English names only; {language} column",
                               method=f"OpenRefine {version}, name{' + subregion' * given}", figures=figures,
                               n=len(entries), seconds=working.seconds)  # fmt: skip


def _write_column(path: Path, entries: list[dict[str, Any]], code: str) -> None:
    import csv

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "part", "wanted"])
        writer.writerows([each["translations"][code]["common"], each["subregion"], each["cca3"]] for each in entries)


def _reconciled(
    refine: OpenRefine, service: str, table: Path, entries: list[dict[str, Any]], *, subregion: bool
) -> dict[str, float]:
    import httpx

    project = refine.create(table.stem, table)
    about = httpx.get(service).json()
    details = [{"column": "part", "propertyID": "subregion", "propertyName": "subregion"}] if subregion else []
    config = {
        "mode": "standard-service", "service": service, "identifierSpace": about["identifierSpace"],
        "schemaSpace": about["schemaSpace"], "type": None, "autoMatch": True, "columnDetails": details, "limit": 5,
    }  # fmt: skip
    refine.command(
        "reconcile", {"columnName": "name", "config": json.dumps(config), "engine": _ENGINE}, project=project
    )
    refine.finish(project)
    names, rows = refine.rows(project)
    asked = _asked_directly(service, [each[names.index("name")]["v"] for each in rows],
                            [_value(each[names.index("part")]) for each in rows] if subregion else None)  # fmt: skip
    figures = dict.fromkeys(
        ("first is right", "matched", "wrongly matched", "without candidates", "another first"), 0.0
    )
    for cells, entry, answer in zip(rows, entries, asked, strict=True):
        recon = cells[names.index("name")].get("r") or {}
        matched = recon.get("m") or {}
        shown = [each["id"] for each in ([matched] if matched else recon.get("c", ()))]  # of a match only itself
        figures["without candidates"] += not shown
        figures["first is right"] += shown[:1] == [entry["cca3"]]
        figures["matched"] += bool(matched)
        figures["wrongly matched"] += bool(matched) and matched["id"] != entry["cca3"]
        figures["another first"] += shown[:1] != [each["id"] for each in answer["result"][:1]]
    if subregion:
        figures["capitals fetched, right"] = _capitals(refine, project, service, about, entries)
    return figures


def _capitals(
    refine: OpenRefine, project: str, service: str, about: dict[str, Any], entries: list[dict[str, Any]]
) -> float:
    """Extend the matched rows by their capitals, and return of how many they are those of the country."""
    extension = {"properties": [{"id": "capital", "name": "capital", "settings": {}}]}
    refine.command(
        "extend-data",
        {"baseColumnName": "name", "endpoint": service, "identifierSpace": about["identifierSpace"],
         "schemaSpace": about["schemaSpace"], "extension": json.dumps(extension), "columnInsertIndex": "1",
         "engine": _ENGINE},
        project=project,
    )  # fmt: skip
    refine.finish(project)
    names, rows = refine.rows(project)
    found: dict[str, set[str]] = {}
    wanted = ""
    for cells in rows:  # several capitals stand in rows of their own, below the first
        if _value(cells[names.index("wanted")]):
            wanted = _value(cells[names.index("wanted")])
        if capital := _value(cells[names.index("capital")]):
            found.setdefault(wanted, set()).add(capital)
    return float(sum(set(each["capital"]) == found.get(each["cca3"]) for each in entries))


def _value(cell: Any) -> str:
    return "" if not cell or cell.get("v") is None else str(cell["v"])


def _asked_directly(service: str, names: list[str], parts: list[str] | None) -> list[Any]:
    """Return the service's answers to batches of ten of these rows."""
    import httpx

    answers = []
    for start in range(0, len(names), 10):
        queries: dict[str, Any] = {}
        for row_, name in enumerate(names[start : start + 10], start):
            queries[f"q{row_}"] = {"query": name, "limit": 5}
            if parts is not None:
                queries[f"q{row_}"]["properties"] = [{"pid": "subregion", "v": parts[row_]}]
        found = httpx.post(service, data={"queries": json.dumps(queries)}, timeout=60).json()
        answers += [found[key] for key in queries]
    return answers
