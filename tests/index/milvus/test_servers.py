"""A token of the environment goes to no server that only a folder names."""

import json
from dataclasses import asdict

import pytest

from interlingua.index import MilvusCollection, MilvusConfig
from interlingua.index.folder import write_folder
from interlingua.index.milvus import servers
from interlingua.index.milvus.client import connect

THEIRS = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
    pytest.importorskip("pymilvus")
    monkeypatch.setattr(servers, "_NAMED", set())
    monkeypatch.delenv("MILVUS_URI", raising=False)
    monkeypatch.setenv("MILVUS_TOKEN", "root:secret")


@pytest.fixture
def asked(monkeypatch):
    """What clients are made with; none is."""
    import pymilvus

    seen = []

    class Asked(Exception):
        pass

    def client(uri, **options):
        seen.append((uri, options["token"]))
        raise Asked

    monkeypatch.setattr(pymilvus, "MilvusClient", client)
    return seen, Asked


@pytest.fixture
def folder(tmp_path):
    config = {**asdict(MilvusConfig(THEIRS, "rows", timeout=0.1))}
    contents = {"type": "milvus-collection", "config": config, "attributes": {}}
    write_folder(tmp_path / "c", contents=contents, files={"milvus.json": json.dumps(config).encode()})
    return tmp_path / "c"


def test_a_server_that_only_a_folder_names_is_not_asked(folder, asked):
    seen, _ = asked
    with pytest.raises(
        PermissionError, match=r"c says that its rows are at http://127\.0\.0\.1:9.*MILVUS_URI="
    ) as refused:
        MilvusCollection.load(folder)
    assert seen == []
    assert "secret" not in str(refused.value)


def test_the_environment_or_the_program_names_it_too(folder, asked, monkeypatch):
    seen, error = asked
    monkeypatch.setenv("MILVUS_URI", THEIRS + "/")
    with pytest.raises(error):
        MilvusCollection.load(folder)
    monkeypatch.delenv("MILVUS_URI")
    with pytest.raises(error):
        connect(MilvusConfig(THEIRS, "other"))
    with pytest.raises(error):
        MilvusCollection.load(folder)
    assert seen == [(THEIRS, "root:secret")] * 3


def test_without_a_token_there_is_nothing_to_keep(folder, asked, monkeypatch):
    seen, error = asked
    monkeypatch.delenv("MILVUS_TOKEN")
    with pytest.raises(error):
        MilvusCollection.load(folder)
    assert seen == [(THEIRS, "")]


def test_a_local_file_gets_no_token(tmp_path, asked):
    seen, error = asked
    with pytest.raises(error):
        connect(MilvusConfig(str(tmp_path / "x.db"), "rows"))
    assert seen[0][1] == ""


def test_a_collection_whose_vectors_are_there_is_refused_as_well(tmp_path, asked, monkeypatch):
    from interlingua.index.engines.choose import read_index, spec_from_json

    config = asdict(MilvusConfig(THEIRS, "rows", timeout=0.1))
    spec, count = spec_from_json({"kind": "milvus", "dimension": 2, "metric": "ip", "config": config, "count": 0})
    (tmp_path / "milvus.json").write_text("{}")
    with pytest.raises(PermissionError, match="MILVUS_URI"):
        read_index({"milvus.json": tmp_path / "milvus.json"}, spec, count)
    assert asked[0] == []
