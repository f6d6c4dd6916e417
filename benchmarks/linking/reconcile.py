"""The reconciliation service, asked over HTTP: speed, validity of its answers, and right and wrong matches.

    python -m interlingua.benchmarks reconcile
    python -m interlingua.benchmarks openrefine

The table holds the 250 countries of mledoze/countries with their English names only. The service is the command
``interlingua reconcile serve`` in a process of its own on 127.0.0.1; the client is httpx. *First* asks 10,000 names in
24 languages, common and official, in batches of 50, with an empty cache of embeddings, so that every name is encoded
once; *again* repeats them. The answers are checked by the JSON schemas of the specification, which
tests/pipelines/link holds. The columns are the common names in three languages.

*In OpenRefine itself* (``openrefine``): OpenRefine (Debian's package `openrefine`, or any launcher that OPENREFINE
names) runs on 127.0.0.1 beside ``interlingua reconcile serve``. This program does over OpenRefine's HTTP interface what
its pages do: it makes a project of a table of the 250 countries of mledoze/countries named in German, Chinese and
Arabic, asks for the service's description, reconciles a column, with and without the subregion of each row, and fetches
the capitals of the matched rows. *Another first* counts the cells whose first candidate in OpenRefine is not the one
that the service gives to a request of ten rows; which rows are asked together is OpenRefine's choice, and tells on the
candidates.
"""

import contextlib
import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import numpy as np

from interlingua.align.arrays import require
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch

SCHEMAS = Path(__file__).parents[2] / "tests" / "pipelines" / "link" / "reconcile" / "reconciliation_schemas.json"
COLUMNS = {"German": "deu", "Chinese": "zho", "Arabic": "ara"}
_QUERIES, _BATCH, _THREADS, _BROKEN = 10_000, 50, 4, 1000
_DATA = "countries, English names only"
_PORT = 3399  # of OpenRefine
_ENGINE = json.dumps({"facets": [], "mode": "row-based"})

Answered = list[tuple[float, int, Any]]  # seconds, status, JSON


def run() -> Iterator[Case]:
    """Ask for names, columns and everything else, rightly and wrongly."""
    import httpx

    entries = json.loads((data_folder("countries") / "countries.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "countries.csv"
        write_table(table, entries)
        with serving(table, cache=Path(folder) / "cache") as url, httpx.Client(base_url=url, timeout=120) as client:
            yield from _load(url, entries)
            yield _broken(client, entries)
            for language, code in COLUMNS.items():
                for given in ((), ("subregion",), ("subregion", "capital")):
                    yield _column(client, entries, language, code, given)
            yield _validity(client, "0.2", entries)
        with serving(table, "1.0-draft") as url, httpx.Client(base_url=url, timeout=120) as client:
            yield _validity(client, "1.0-draft", entries)


def write_table(path: Path, entries: list[dict[str, Any]]) -> None:
    """Write the countries as a table with English names."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "name:en", "type", "capital", "subregion"])
        for entry in entries:
            capital = "|".join(entry["capital"])
            writer.writerow([entry["cca3"], entry["name"]["common"], "country", capital, entry["subregion"]])


@contextlib.contextmanager
def serving(table: Path, api: str = "0.2", *, cache: Path | None = None) -> Iterator[str]:
    """Run the service in a process of its own, on any free port, and yield its address."""
    command = [sys.executable, "-m", "interlingua.pipelines.commands.main", "reconcile", "serve", str(table)]
    environment = os.environ | ({"INTERLINGUA_CACHE": str(cache)} if cache else {})
    process = subprocess.Popen(
        [*command, "--port", "0", "--api", api], stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        said = []
        for line in process.stderr or ():
            said.append(line)
            found = re.search(r"http://\S+", line)
            if found:
                # the rest of what it says must be read, or it would wait for a reader
                threading.Thread(target=lambda: list(process.stderr or ()), daemon=True).start()
                yield found[0]
                return
        raise RuntimeError(f"the service did not start: {''.join(said)}")
    finally:
        process.terminate()
        process.wait(30)


def _load(url: str, entries: list[dict[str, Any]]) -> Iterator[Case]:
    names = [
        name
        for entry in entries
        for translation in entry["translations"].values()
        for name in (translation["common"], translation["official"])
    ]
    random.Random(0).shuffle(names)  # noqa: S311 - no secret
    names = names[:_QUERIES]
    batches = [
        {f"q{number}": {"query": name} for number, name in enumerate(names[start : start + _BATCH])}
        for start in range(0, len(names), _BATCH)
    ]
    valid = _validator("0.2", "reconciliation-result-batch.json")
    for method, threads in (("first", 1), ("again", 1), (f"again, {_THREADS} clients", _THREADS)):
        begin = time.perf_counter()
        answered = _asked(url, batches, threads)
        seconds = time.perf_counter() - begin
        times = np.array([each[0] for each in answered])
        whole = [status == 200 and len(found) == _BATCH for _, status, found in answered]
        figures = {
            "queries a second": len(names) / seconds,
            "p50 ms a batch": 1000 * float(np.percentile(times, 50)),
            "p99 ms a batch": 1000 * float(np.percentile(times, 99)),
            "failed requests": float(len(whole) - sum(whole)),
            "answers against the schema": float(sum(not valid(found) for _, _, found in answered)),
        }
        yield _case("10,000 queries over HTTP", f"{_DATA}; {len(set(names))} names in 24 languages", method, figures,
                    len(names), seconds)  # fmt: skip


def _asked(url: str, batches: list[dict[str, Any]], threads: int) -> Answered:
    """Post the batches from so many clients, each over one connection, and return what came back."""
    import httpx

    waiting = list(enumerate(batches))[::-1]
    found: dict[int, tuple[float, int, Any]] = {}

    def work() -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            while waiting:
                try:
                    number, batch = waiting.pop()
                except IndexError:
                    return
                begin = time.perf_counter()
                try:
                    answer = client.post("/", data={"queries": json.dumps(batch)})
                    body = answer.json()
                    found[number] = (time.perf_counter() - begin, answer.status_code, body)
                except (httpx.HTTPError, ValueError):
                    found[number] = (time.perf_counter() - begin, 0, {})

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    return [found[number] for number in range(len(batches))]


def _broken(client: Any, entries: list[dict[str, Any]]) -> Case:
    """Post damaged requests; a status of 500 or more, or none, is a crash."""
    rng = random.Random(1)  # noqa: S311
    begin = time.perf_counter()
    refused = crashed = 0
    form = {"content-type": "application/x-www-form-urlencoded"}
    for _ in range(_BROKEN):
        name = rng.choice(entries)["name"]["common"]
        batch = {"q0": {"query": name, "type": "country", "limit": 3, "properties": [{"pid": "capital", "v": "x"}]}}
        text = bytearray(json.dumps(batch).encode())
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(text))
            text[place : place + rng.randint(0, 6)] = rng.randbytes(rng.randint(0, 3))
        try:
            body = f"{rng.choice(['queries', 'extend'])}={quote_plus(bytes(text))}"
            status = client.post("/", content=body, headers=form).status_code
        except Exception:
            status = 0
        refused += 400 <= status < 500
        crashed += status == 0 or status >= 500
    figures = {"refused with 4xx": float(refused), "crashes": float(crashed)}
    return _case("damaged requests", _DATA, "0.2", figures, _BROKEN, time.perf_counter() - begin)


def _column(client: Any, entries: list[dict[str, Any]], language: str, code: str, given: tuple[str, ...]) -> Case:
    """Reconcile one column of names; `given` are columns beside it, in English, sent as properties."""
    cells = [entry for entry in entries if entry["translations"].get(code, {}).get("common")]
    begin = time.perf_counter()
    found: list[list[dict[str, Any]]] = []
    for start in range(0, len(cells), _BATCH):
        batch: dict[str, Any] = {}
        for number, entry in enumerate(cells[start : start + _BATCH]):
            batch[f"q{number}"] = {"query": entry["translations"][code]["common"], "limit": 5}
            values = {"subregion": entry["subregion"], "capital": "".join(entry["capital"][:1])}
            properties = [{"pid": name, "v": values[name]} for name in given if values[name]]
            if properties:
                batch[f"q{number}"]["properties"] = properties
        answer = client.post("/", data={"queries": json.dumps(batch)}).json()
        found += [answer[key]["result"] for key in batch]
    truth = [entry["cca3"] for entry in cells]
    first = [bool(each) and each[0]["id"] == one for each, one in zip(found, truth)]
    matched = [bool(each) and each[0]["match"] for each in found]
    figures = {
        "first is right": float(sum(first)),
        "among five": float(sum(one in [each["id"] for each in some] for some, one in zip(found, truth))),
        "matched": float(sum(matched)),
        "wrongly matched": float(sum(match and not right for match, right in zip(matched, first))),
    }
    method = "name" + "".join(f" + {each}" for each in given)
    return _case("reconciled column", f"{_DATA}; {language} column", method, figures, len(cells),
                 time.perf_counter() - begin)  # fmt: skip


def _validity(client: Any, api: str, entries: list[dict[str, Any]]) -> Case:
    """Ask every address of one version for many things and count the answers against the schemas."""
    draft = api == "1.0-draft"
    begin = time.perf_counter()
    asked: list[tuple[str, Callable[[], Any]]] = [("manifest", partial(client.get, "/"))]
    for entry in entries[::5]:
        name, key = entry["name"]["common"], entry["cca3"]
        for kind, schema in (("entity", "entities"), ("property", "properties"), ("type", "types")):
            prefix = name[:3] if kind == "entity" else name[:1]
            ask = partial(client.get, f"/suggest/{kind}", params={"prefix": prefix})
            asked.append((f"suggest-{schema}-response", ask))
        extend = {
            "ids": [key, "none"],
            "properties": [{"id": "capital"}, {"id": "name:en", "settings": {"limit": "1"}}],
        }
        if draft:
            wanted = {"matchType": "name", "propertyValue": name}
            beside = {"matchType": "property", "propertyId": "subregion", "propertyValue": entry["subregion"]}
            queries = {"queries": [{"conditions": [wanted, beside], "type": "country", "lang": "en"}]}
            asked.append(("reconciliation-result-batch", partial(client.post, "/match", json=queries)))
            asked.append(("data-extension-response", partial(client.post, "/extend", json=extend)))
        else:
            batch = json.dumps({"q": {"query": name, "type": "country", "type_strict": "should"}})
            asked.append(("reconciliation-result-batch", partial(client.get, "/", params={"queries": batch})))
            asked.append(("data-extension-response", partial(client.post, "/", data={"extend": json.dumps(extend)})))
    proposals = "/extend/propose" if draft else "/properties"
    ask = partial(client.get, proposals, params={"type": "country"})
    asked.append(("data-extension-property-proposal", ask))
    wrong = 0
    for schema, ask_it in asked:
        answer = ask_it()
        wrong += answer.status_code != 200 or not _validator(api, f"{schema}.json")(answer.json())
    return _case("all kinds of answers", _DATA, api, {"answers against the schema": float(wrong)}, len(asked),
                 time.perf_counter() - begin)  # fmt: skip


def _validator(version: str, name: str) -> Callable[[Any], bool]:
    """Return whether a value is as a schema of the specification says."""
    jsonschema = require("jsonschema", extra="dev")
    referencing = require("referencing.jsonschema", extra="dev")
    files = json.loads(SCHEMAS.read_text(encoding="utf-8"))[version]
    registry = referencing.EMPTY_REGISTRY.with_contents(
        [(each["$id"], each) for each in files.values()], default_specification=referencing.DRAFT7
    )
    validator = jsonschema.Draft7Validator(files[name], registry=registry)
    return lambda value: bool(validator.is_valid(value))


def _case(task: str, data: str, method: str, figures: dict[str, float], n: int, seconds: float) -> Case:
    return Case(task=task, data=data, method=method, figures=figures, n=n, seconds=seconds)


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


@contextlib.contextmanager
def running_openrefine(folder: Path, port: int = _PORT) -> Iterator[str]:
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


def run_openrefine() -> Iterator[Case]:
    """Reconcile in OpenRefine."""
    import httpx

    entries = json.loads((data_folder("countries") / "countries.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "countries.csv"
        write_table(table, entries)
        with (
            serving(table) as service,
            running_openrefine(Path(folder) / "projects") as address,
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


BENCHMARKS = {"reconcile": run, "openrefine": run_openrefine}
