"""A service in this process, over folders that a fake encoder made."""

import json
import time
from contextlib import contextmanager

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("prometheus_client")
pytest.importorskip("python_multipart")

from starlette.testclient import TestClient

from interlingua.pipelines import CrossLingualSearch
from interlingua.pipelines.serve import catalogue
from interlingua.pipelines.serve.app import create_app


@pytest.fixture
def words(passages, fake_encoder, tmp_path):
    """The folder of a search of 45 passages."""
    CrossLingualSearch.build(passages, fake_encoder).save(tmp_path / "words")
    return tmp_path / "words"


@pytest.fixture
def service(words, fake_encoder, tmp_path, monkeypatch):
    """Open the service with some settings; changes of others are seen at once."""
    monkeypatch.setattr(catalogue, "_PATIENCE", 0.0)
    monkeypatch.setattr(catalogue, "_LINGER", 0.0)

    @contextmanager
    def opened(folders=None, **settings):
        settings = {"data": tmp_path / "data", "encoder": fake_encoder, **settings}
        with TestClient(create_app({"words": words} if folders is None else folders, **settings)) as client:
            yield client

    return opened


@pytest.fixture
def client(service):
    with service() as client:
        yield client


def finished(client, answer):
    """Wait for the end of a job by its events, and return its last state."""
    assert answer.status_code == 202, answer.text
    with client.stream("GET", answer.json()["events"]) as events:
        said = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")]
    assert said[-1]["state"] in ("done", "failed", "cancelled")
    return said[-1]


@pytest.fixture
def wait():
    return finished


def until(tell, seconds=5):
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not tell() and time.monotonic() < end:
        time.sleep(0.01)
    assert tell()
