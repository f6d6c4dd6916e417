"""The commands `index ...` and `search`."""

import json
import os
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from interlingua.index import Collection, CollectionStore, verify
from interlingua.pipelines.commands.main import main


def assert_error(done, *parts, code=1):
    """One line on standard error, nothing on standard output, no traceback."""
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("interlingua: error: ")
    assert len(done.err.splitlines()) == 1
    for part in parts:
        assert part in done.err


@pytest.fixture
def collection(cli, texts_file, word_files):
    path = word_files.folder / "collection"
    assert cli("index", "build", texts_file, "--encoder", word_files.en, "-o", path).code == 0
    return path


def test_texts_are_indexed_and_found(cli, collection, word_files):
    done = cli("search", collection, "sun of night", "the cat", "-k", "2", "--json")
    assert [each["question"] for each in done.result] == ["sun of night", "the cat"]
    first = done.result[0]["hits"][0]
    assert (first["id"], first["language"], first["text"]) == ("a", "en", "the sun of the night")
    assert first["metadata"] == {"page": 1}
    assert done.result[1]["hits"][0]["id"] == "b"
    assert [len(each["hits"]) for each in done.result] == [2, 2]
    about = cli("info", collection, "--json").result
    assert (about["kind"], about["languages"]) == ("collection", {"en": 2, "und": 1})


def test_search_reads_questions_from_standard_input_and_filters_languages(cli, collection):
    done = cli("search", collection, "--languages", "und", "-", "--json", stdin="sun\n\nthe cat\n")
    assert [each["question"] for each in done.result] == ["sun", "the cat"]
    assert {hit["id"] for each in done.result for hit in each["hits"]} == {"c"}
    assert_error(cli("search", collection, "sun", "--languages", "en,sw"), "has no text in 'sw'; it has: en, und")
    assert_error(cli("search", collection, "sun", "--languages", ","), "--languages needs at least one", code=2)


def test_search_prints_a_table_a_question(cli, collection):
    out = cli("search", collection, "what [of] the sun of night :smile:", "-k", "1").out.splitlines()
    assert out[0].strip() == "what [of] the sun of night :smile:"
    assert out[1].split() == ["score", "cosine", "language", "id", "text"]
    assert out[2].split()[2:] == ["en", "a", "the", "sun", "of", "the", "night"]


def test_build_reads_standard_input_options_and_another_kind(cli, word_files):
    out = word_files.folder / "c"
    lines = '{"text": "sun", "id": 1}\n{"text": "moon", "language": "fi"}\n'
    options = ("--language", "sw", "--ranking", "cosine", "--kind", "hnsw", "--encoder", word_files.en)
    result = cli("index", "build", "-", *options, "-o", out, "--json", stdin=lines).result
    assert (result["passages"], result["languages"], result["ranking"]) == (2, {"sw": 1, "fi": 1}, "cosine")
    assert cli("info", out, "--json").result["index"] == "hnsw"
    assert cli("search", out, "sun", "--json").result[0]["hits"][0]["id"] == "1"


def test_build_maps_through_a_saved_space(cli, texts_file, space_file, word_files):
    out = word_files.folder / "c"
    build = ("index", "build", texts_file, "--encoder", word_files.en, "--space", space_file, "-o", out)
    assert_error(cli(*build), "texts are in 'und', but the space has only: en, fr")
    assert not out.exists()
    assert cli(*build, "--language", "en").code == 0
    assert cli("search", out, "the sun of night", "--language", "en", "--json").result[0]["hits"][0]["id"] == "a"
    assert_error(cli("search", out, "sun", "--language", "de"), "'de', but the space has only: en, fr")


def test_build_takes_the_method_that_removes_language(cli, word_files):
    out = word_files.folder / "c"
    words = ("sun", "moon", "cat", "queen", "bread")
    lines = "".join(
        f'{{"text": "{one} of {other}", "language": "{language}", "id": "{language} {one} {other}"}}\n'
        for language in ("en", "xx")
        for one, other in combinations(words, 2)  # no two with the same words
    )
    build = ("index", "build", "-", "--encoder", word_files.en)
    for method in ("auto", "centring", "lsar", "mean-covariance", "none"):
        done = cli(*build, "--method", method, "-o", word_files.folder / method, "--json", stdin=lines)
        # as many texts as the word vectors have dimensions
        assert done.result["method"] == ("mean-covariance" if method == "auto" else method)
        hits = cli("search", word_files.folder / method, "cat of sun", "--language", "xx", "--json").result[0]["hits"]
        assert hits[0]["id"].endswith("sun cat")
    alone = "".join(line for line in lines.splitlines(keepends=True) if '"en"' in line)
    assert_error(cli(*build, "--method", "lsar", "-o", out, stdin=alone), "lsar compares languages: it needs two")
    bad = {("--method", "best"): "Choose from", ("--method", "lsar", "--space", "s"): "exclude each other"}
    for options, message in bad.items():
        done = cli(*build, *options, "-o", out, stdin=lines)
        assert done.code == 2
        assert message in done.err
    assert not out.exists()


def test_bad_lines_of_texts_are_named_by_number(cli, texts_file, word_files):
    out = word_files.folder / "c"
    build = ("index", "build", texts_file, "--encoder", word_files.en, "-o", out)
    whole = texts_file.read_bytes()
    for line, message in (
        (b'{"text": "sun"\n', "line 4: each line must be a JSON object"),
        (b'{"text": "\xe9t\xe9"}\n', "line 4: the text must be UTF-8"),
        (b'{"text": ""}\n', 'line 4: each line needs a "text" that is not empty'),
        (b'{"text": "sun", "id": "a"}\n', "line 4: the id 'a' was there before"),
        (b'{"text": "zzz"}\n', "the passage '4' holds no known word: 'zzz'"),
    ):
        texts_file.write_bytes(whole + line)
        assert_error(cli(*build), message)
        assert not out.exists()
    texts_file.write_bytes(b"")
    assert_error(cli(*build), "texts.jsonl holds no text")
    assert_error(cli("index", "build", "-", *build[3:], stdin=b"{"), "standard input, line 1: ")


def test_a_folder_of_somebody_else_is_not_overwritten_and_a_collection_is_replaced(
    cli, collection, texts_file, word_files
):
    build = ("index", "build", texts_file, "--encoder", word_files.en, "-o")
    other = word_files.folder / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    assert_error(cli(*build, other), "holds other files ('thesis.tex'")
    assert_error(cli("index", "build", "nowhere.jsonl", *build[3:], other), "holds other files")  # before any reading
    texts_file.write_text('{"text": "sun", "id": "only"}\n')
    assert cli(*build, collection).code == 0
    assert [hit["id"] for hit in cli("search", collection, "moon", "--json").result[0]["hits"]] == ["only"]


def test_search_refuses_a_wrong_encoder_and_a_missing_collection(cli, collection, word_files):
    wrong = cli("search", collection, "soleil", "--encoder", word_files.fr)
    assert_error(wrong, f"holds vectors of '{word_files.en}', but the encoder is '{word_files.fr}'; name none")
    assert_error(cli("search", collection, "zzz"), "the question holds no known word: 'zzz'")
    Path(word_files.en).unlink()
    assert_error(cli("search", collection, "sun"), "which is not there now")


@pytest.mark.parametrize("place", ["nowhere", "EN.vec", "."])
@pytest.mark.parametrize(
    "command", [("search", "sun"), ("index", "verify"), ("index", "compact"), ("index", "snapshot", "-o", "copy")]
)
def test_where_no_collection_is_the_command_that_makes_one_is_named(cli, word_files, monkeypatch, command, place):
    monkeypatch.chdir(word_files.folder)
    split = 1 if command[0] == "search" else 2
    done = cli(*command[:split], place, *command[split:])
    assert_error(done, f"no collection at {place}; `interlingua index build` makes one")


def test_a_damaged_collection_is_refused_by_the_name_of_the_file(cli, collection):
    victim = next(collection.glob("vectors*.npy"))
    victim.write_bytes(victim.read_bytes()[:-1])
    assert_error(cli("search", collection, "sun"), victim.name, "build it again")


def test_a_question_in_a_language_without_a_mean_is_remarked(cli, word_files):
    out = word_files.folder / "c"
    lines = "".join(json.dumps({"text": word, "language": "en"}) + "\n" for word in word_files.english.labels)
    assert cli("index", "build", "-", "--encoder", word_files.en, "-o", out, stdin=lines).code == 0
    assert "knows no mean of 'sw'" in cli("search", out, "sun", "--language", "sw").err
    assert cli("search", out, "sun", "--language", "en").err == ""


def test_a_build_that_ends_midway_leaves_the_old_collection(cli, collection, texts_file, word_files, monkeypatch):
    before = {path.name: path.read_bytes() for path in collection.iterdir()}
    texts_file.write_text('{"text": "moon"}\n')

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        build = ("index", "build", texts_file, "--encoder", word_files.en, "-o", collection)
        assert_error(cli(*build), "No space left on device")
    assert {path.name: path.read_bytes() for path in collection.iterdir()} == before


@pytest.mark.parametrize("named", [False, True])
def test_search_passes_the_encoder_options_on(cli, collection, word_files, monkeypatch, named):
    from interlingua.pipelines import stored
    from interlingua.pipelines.encoders import load as encoder_names
    from interlingua.pipelines.encoders.load import load_encoder

    asked = []

    def spy(name, **options):
        asked.append(options)
        return load_encoder(name, **options)

    monkeypatch.setattr(encoder_names, "load_encoder", spy)
    monkeypatch.setattr(stored, "load_encoder", spy)
    name = ("--encoder", word_files.en) if named else ()
    assert cli("search", collection, "sun", "--no-cache", "--device", "cpu", *name).code == 0
    assert asked == [{"device": "cpu", "cache": False}]


def test_a_collection_is_verified_copied_and_compacted(tmp_path, capsys):
    from interlingua.index import Collection, CollectionStore

    folder = tmp_path / "store"
    with CollectionStore.create(folder, Collection.create(2, kind="hnsw")) as store:
        store.add(["a", "b", "c"], [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        store.remove(["b"])
    assert main(["index", "verify", str(folder)]) == 0
    assert "is sound: 2 rows, 5 files, 2 changes in the journal" in " ".join(capsys.readouterr().out.split())
    assert main(["index", "snapshot", str(folder), "-o", str(tmp_path / "copy")]) == 0
    assert main(["index", "compact", str(folder)]) == 0
    assert "2 rows, saved anew" in capsys.readouterr().out
    assert main(["index", "verify", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == 0
    (damaged,) = folder.glob("index.*.faiss")
    damaged.write_bytes(damaged.read_bytes()[:-1])
    assert main(["index", "verify", str(folder)]) == 1
    assert "1 problems" in (said := capsys.readouterr().err)
    assert str(damaged) in said


def ids(cli, collection, question, *options):
    found = cli("search", collection, question, "--json", *options)
    return [hit["id"] for hit in found.result[0]["hits"]]


def test_texts_are_added_and_replaced_by_id_and_found(cli, collection):
    lines = '{"text": "queen of the moon", "id": "new", "language": "en"}\n{"text": "bread", "id": "b"}\n'
    done = cli("index", "add", collection, "-", "--language", "en", "--json", stdin=lines)
    assert (done.result["added"], done.result["replaced"], done.result["passages"]) == (1, 1, 4)
    assert ids(cli, collection, "queen")[0] == "new"
    assert ids(cli, collection, "bread")[0] == "b"
    assert cli("index", "add", collection, "-", stdin=lines).out.rstrip().endswith("0 added, 2 replaced; 4 passages")


def test_texts_of_a_table_are_added_too(cli, collection, tmp_path):
    (tmp_path / "more.csv").write_text('id,text,language\nnew,"queen, of the moon",en\nb,bread,en\n\n')
    done = cli("index", "add", collection, tmp_path / "more.csv", "--json")
    assert (done.result["added"], done.result["replaced"]) == (1, 1)
    assert ids(cli, collection, "queen")[0] == "new"


def test_texts_without_ids_would_replace_others_and_are_refused(cli, collection):
    before = ids(cli, collection, "sun")
    done = cli("index", "add", collection, "-", stdin='{"text": "sun", "id": "x"}\n\n{"text": "moon"}\n')
    assert done.code == 1
    assert 'line 3: texts that are added need an "id"' in done.err
    assert cli("index", "add", collection, "-", stdin="\n").code == 1
    assert ids(cli, collection, "sun") == before


def test_rows_are_removed_without_an_encoder_and_are_gone_at_once(cli, collection):
    done = cli("index", "remove", collection, "a", "-", "--json", stdin="b\n")
    assert (done.result["removed"], done.result["rows"]) == (2, 1)
    assert ids(cli, collection, "sun") == ["c"]
    assert verify(collection).problems == ()
    assert "ids are not in the collection: 'a'" in cli("index", "remove", collection, "c", "a").err
    assert "named twice" in cli("index", "remove", collection, "c", "c").err
    assert len(Collection.load(collection)) == 1


def test_nothing_is_changed_while_another_writer_has_it(cli, collection, monkeypatch):
    monkeypatch.setattr("interlingua.pipelines.stored._PATIENCE", 0.2)
    with CollectionStore(collection):
        for command in (("remove", collection, "a"), ("add", collection, "-")):
            done = cli("index", *command, stdin='{"text": "sun", "id": "x"}\n')
            assert done.code == 1
            assert "open for writing elsewhere" in done.err


def test_mapped_vectors_are_searched_unless_there_is_a_journal(cli, collection):
    assert ids(cli, collection, "sun", "--mapped") == ids(cli, collection, "sun")
    assert cli("index", "remove", collection, "a").code == 0
    assert "interlingua index compact" in cli("search", collection, "sun", "--mapped").err
    assert cli("index", "compact", collection).code == 0
    assert ids(cli, collection, "sun", "--mapped") == ids(cli, collection, "sun")


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("pyarrow")
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


def test_recommend_says_kind_reason_and_memory(capsys):
    assert main(["index", "recommend", "1000000", "384", "--memory", "1GB", "--recall", "0.95"]) == 0
    said = capsys.readouterr().out
    assert "hnsw" in said
    assert "668 MB" in said
    assert "kept as bytes" in said
    assert main(["index", "recommend", "1000", "384", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["memory_bytes"]) == ("faiss-flat", 1000 * (4 * 384 + 8))


def test_what_fits_nowhere_and_a_size_that_is_none_are_refused(capsys):
    assert main(["index", "recommend", "1000000", "384", "--memory", "100MB"]) == 1
    assert "map the index from disk" in capsys.readouterr().err
    assert main(["index", "recommend", "10", "384", "--memory", "lots"]) == 2
    assert "such as 4GB" in capsys.readouterr().err
