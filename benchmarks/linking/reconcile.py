"""The reconciliation service, asked over HTTP: speed, validity of its answers, and right and wrong matches.

    python -m interlingua.benchmarks reconcile

The table holds the 250 countries of mledoze/countries with their English names only. The service is the command
``interlingua reconcile serve`` in a process of its own on 127.0.0.1; the client is httpx. *First* asks 10,000 names in
24 languages, common and official, in batches of 50, with an empty cache of embeddings, so that every name is encoded
once; *again* repeats them. The answers are checked by the JSON schemas of the specification, which
tests/pipelines/knowledge holds. The columns are the common names in three languages.
"""

import contextlib
import csv
import json
import os
import random
import re
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
from interlingua.benchmarks.harness.measure import Case

SCHEMAS = Path(__file__).parents[2] / "tests" / "pipelines" / "link" / "reconcile" / "reconciliation_schemas.json"
COLUMNS = {"German": "deu", "Chinese": "zho", "Arabic": "ara"}
_QUERIES, _BATCH, _THREADS, _BROKEN = 10_000, 50, 4, 1000
_DATA = "countries, English names only"

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
