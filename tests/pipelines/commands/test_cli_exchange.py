import numpy as np
import pytest

from interlingua.index import Collection, CollectionStore

pytest.importorskip("pyarrow")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "words"
    with CollectionStore.create(path, Collection.create(3)) as store:
        rows = [{"language": "sw", "year": 2020}, {"language": "zh", "year": 2021}, {"language": "sw", "year": 2021}]
        store.add(["a", "b", "c"], np.eye(3), rows)
    return path


def content(path):
    loaded = Collection.load(path)
    return loaded.ids, loaded.get(loaded.ids), loaded.vectors(loaded.ids).tolist()


def test_a_collection_goes_out_and_comes_in_again(cli, folder, tmp_path):
    done = cli("index", "export", str(folder), str(tmp_path / "words.parquet"), "--json")
    assert (done.code, done.result["rows"]) == (0, 3)
    done = cli("index", "import", str(tmp_path / "words.parquet"), "-o", str(tmp_path / "again"), "--json")
    assert (done.code, done.result["count"], done.result["fields"]) == (0, 3, ["language", "year"])
    assert content(tmp_path / "again") == content(folder)


def test_rows_and_columns_can_be_chosen(cli, folder, tmp_path):
    file = str(tmp_path / "words.parquet")
    where = ("--where", "language=sw", "--where", "year=2021")
    assert cli("index", "export", str(folder), file, *where, "--id", "key", "--json").result["rows"] == 1
    done = cli("index", "import", file, "--columns", "year", "--kind", "hnsw", "-o", str(tmp_path / "again"), "--json")
    assert (done.result["kind"], done.result["fields"]) == ("hnsw", ["year"])
    assert content(tmp_path / "again")[:2] == (("c",), [{"year": 2021}])


def test_a_snapshot_is_restored_into_a_new_folder(cli, folder, tmp_path):
    assert cli("index", "snapshot", str(folder), "-o", str(tmp_path / "copy")).code == 0
    done = cli("index", "restore", str(tmp_path / "copy"), "-o", str(tmp_path / "back"), "--json")
    assert (done.code, done.result["rows"]) == (0, 3)
    assert content(tmp_path / "back") == content(folder)
    done = cli("index", "restore", str(tmp_path / "copy"), "-o", str(folder))
    assert done.code == 1
    assert "is there already" in done.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("export", "{folder}", "{tmp}/x.parquet", "--where", "language"), 2, "--where takes FIELD=VALUE"),
        (("export", "{folder}", "{tmp}/x.parquet", "--where", "lang=sw"), 1, "no row has the field 'lang'"),
        (("export", "{folder}", "{tmp}/no/x.parquet"), 1, "create it first"),
        (("export", "{tmp}/none", "{tmp}/x.parquet"), 1, "no collection at"),
        (("import", "{tmp}/none.parquet", "-o", "{tmp}/new"), 1, "there is no file"),
        (("import", "{folder}/manifest.json", "-o", "{tmp}/new"), 1, "is not readable as Parquet"),
    ],
)
def test_errors_say_the_way_out_and_write_nothing(cli, folder, tmp_path, arguments, code, said):
    done = cli("index", *(each.format(folder=folder, tmp=tmp_path) for each in arguments))
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["words"]
