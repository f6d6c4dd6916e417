"""The command `interlingua reconcile serve`, and the service in a process of its own."""

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from interlingua.pipelines.commands import main as cli
from interlingua.pipelines.link.entities import EntityIndex

from .reconciliation_fixtures import SmallIndex

pytest.importorskip("uvicorn")

_SERVE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
sys.path.insert(0, sys.argv[1])
from reconciliation_fixtures import SmallIndex
from interlingua.pipelines.link.reconcile.service import Reconciler
from interlingua.pipelines.link.reconcile.server import serve
serve(Reconciler(SmallIndex()), port=0, ready=lambda url: print(url, flush=True))
"""


def test_options_reach_the_service(monkeypatch, capsys):
    from interlingua.pipelines.link.reconcile import server as reconciliation_server

    served = {}
    monkeypatch.setattr(EntityIndex, "read", lambda path, encoder: SmallIndex())
    monkeypatch.setattr(
        reconciliation_server, "serve", lambda reconciler, **named: served.update(named, reconciler=reconciler)
    )
    assert cli.main(["reconcile", "serve", "towns.csv", "--port", "0", "--api", "1.0-draft", "--threshold", "0.9"]) == 0
    assert (served["host"], served["port"], served["api"], served["url"]) == ("127.0.0.1", 0, "1.0-draft", None)
    assert (served["reconciler"].name, served["reconciler"].threshold) == ("towns", 0.9)
    served["ready"]("http://127.0.0.1:1/")
    said = capsys.readouterr().err
    assert "5 entities at http://127.0.0.1:1/" in said
    assert "changes of towns.csv are not seen" in " ".join(said.split())


def test_columns_of_the_table_are_named(monkeypatch, capsys, tmp_path):
    read = {}
    monkeypatch.setattr(EntityIndex, "read", lambda path, encoder, **named: read.update(named) or SmallIndex())
    monkeypatch.setattr("interlingua.pipelines.link.reconcile.server.serve", lambda reconciler, **named: None)
    assert cli.main(["reconcile", "serve", "towns.csv", "--column", "QID=id", "--column", "label=name:en"]) == 0
    assert read == {"columns": {"QID": "id", "label": "name:en"}}
    assert cli.main(["reconcile", "serve", str(tmp_path), "--column", "QID=id"]) == 2
    assert "--column is for tables" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--threshold", "2"], ["--threshold", "x"], ["--port", "70000"], ["--api", "3"]])
def test_wrong_options_are_refused(wrong, capsys):
    assert cli.main(["reconcile", "serve", "towns.csv", *wrong]) == 2
    said = capsys.readouterr().err
    assert "expected" in said or "Choose from" in said


def test_a_taken_port_is_said_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(EntityIndex, "read", lambda path, encoder: SmallIndex())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert cli.main(["reconcile", "serve", "towns.csv", "--port", str(port)]) == 1
    assert f"cannot listen at 127.0.0.1:{port}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_serves_until_interrupted():
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(Path(__file__).parent)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        url = process.stdout.readline().decode().strip()
        body = urllib.parse.urlencode({"queries": json.dumps({"q": {"query": "Deutschland"}})}).encode()
        with urllib.request.urlopen(url, body, timeout=10) as answer:  # noqa: S310
            assert json.load(answer)["q"]["result"][0]["id"] == "DE"
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{url}?queries={'x' * 200_000}", timeout=10)  # noqa: S310
        assert 400 <= caught.value.code < 500
        caught.value.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode != 0
