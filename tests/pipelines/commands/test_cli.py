"""The command line is a contract: users' scripts rely on it."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from interlingua.align import Embeddings, SharedSpace
from interlingua.pipelines import description
from interlingua.pipelines.commands.app import added_commands, build_app
from interlingua.pipelines.commands.main import main

COMMANDS = (
    "demo",
    "encode",
    "space fit",
    "align",
    "map",
    "translate",
    "evaluate",
    "index build",
    "search",
    "bridge fit",
    "bridge map",
    "bridge verify",
    "bridge plan",
    "train head",
    "train contrastive",
    "train distill",
    "train pretrain",
    "tune",
    "export",
    "audit",
    "doctor",
    "info",
    "index verify",
    "index snapshot",
    "index compact",
    "train finetune",
    "classify train",
    "classify predict",
    "classify evaluate",
    "chat",
    "reconcile serve",
    "align-text",
    "bench",
    "graph align",
    "link",
    "entities build",
    "entities accept",
    "mine",
    "answer",
    "lexicon",
    "memory build",
    "memory add",
    "memory search",
    "index recommend",
    "index build-shards",
    "index plan",
    "index export",
    "index import",
    "index restore",
    "index add",
    "index remove",
    "completion",
    "serve",
    "plot space",
    "plot audit",
    "plot retrieval",
    "plot confusion",
    "train static",
    "index words",
)  # fmt: skip


def run_process(*arguments):
    command = [sys.executable, "-m", "interlingua.pipelines.commands.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True)


def assert_error(done, *parts, code=1):
    """One line on standard error, nothing on standard output, no traceback."""
    assert done.code == code
    assert done.out == ""
    assert done.err.startswith("interlingua: error: ")
    assert len(done.err.splitlines()) == 1
    for part in parts:
        assert part in done.err


@pytest.fixture
def english(tmp_path):
    path = tmp_path / "english.txt"
    path.write_text("the sun\nthe moon of the night\ncat\n", encoding="utf-8")
    return path


# --- every command


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_common_options_and_explains_itself(cli, command):
    done = cli(*command.split(), "--help")
    assert done.code == 0
    for option in ("--json", "--quiet", "--seed", "--threads", "--debug"):
        assert option in done.out


def test_all_commands_are_listed_with_a_version(cli):
    assert {each for each in build_app(added_commands()) if not each.startswith("-")} == {
        each.split()[0] for each in COMMANDS
    }
    assert cli("--version").out.split()[0] == "interlingua"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("fly",),
        ("space",),
        ("index",),
        ("search", "collection"),
        ("search", "collection", "q", "-k", "0"),
        ("translate", "space", "--from", "en", "--to", "fr", "--vectors", "en=a", "fr=b"),
        ("encode", "a.txt", "-o", "a.npy"),
        ("encode", "a.txt", "--language", "fi", "--role", "title", "-o", "a.npy"),
        ("align", "a.vec", "b.vec", "-o", "space"),
        ("align", "a.vec", "b.vec", "--dictionary", "d", "--limit", "-3", "-o", "space"),
        ("info", "a", "--seed", "-1"),
        ("info", "a", "--threads", "none"),
    ],
)
def test_wrong_usage_exits_with_2_and_says_what_is_expected(cli, arguments):
    done = cli(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("interlingua: error: ")
    assert "--help`." in done.err
    assert len(done.err.splitlines()) == 1
    assert "invalid" not in done.err or "choose from" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("encode", "a.txt", "--language", "fi", "-o", "a.vec"), "encode writes .npy files"),
        (("encode", "a.txt", "--language", " ", "-o", "a.npy"), "--language must name the language of the texts"),
        (("search", "collection", "sun", ""), "a question must say something, but one is blank"),
        (("align", "a", "b", "--seeds", "identical", "--rerank", "-o", "s"), "--rerank learns from a dictionary; give"),
        (
            ("align", "a", "b", "--dictionary", "a-b=d", "--pivot", "a", "--rerank", "-o", "s"),
            "it takes no --pivot",
        ),
        (("space", "fit", "fin.npy", "-o", "space"), "expected LANGUAGE=FILE, such as en=vectors.npy"),
        (("space", "fit", "fin=a.npy", "fin=b.npy", "-o", "space"), "each language needs one file"),
        (("space", "fit", "fin=-", "eng=-", "-o", "space"), "only one file can come from standard input"),
        (("align", "a/wiki.en.vec", "a/wiki.fr.vec", "--dictionary", "d", "-o", "s"), "both files are called 'wiki'"),
        (("align", "en=-", "fr=x", "--dictionary", "-", "-o", "s"), "only one file can come from standard input"),
        (("map", "space", "a.vec", "--language", "fi", "-o", "a.csv"), "the name 'a.csv' tells no format"),
        (("translate", "s", "--from", "en", "--to", "fr", "--vectors", "en=a", "de=b", "x"), "must name 'fr', but"),
    ],
)
def test_arguments_that_do_not_fit_together_exit_with_2_before_any_file_is_read(cli, arguments, message):
    assert_error(cli(*arguments), message, code=2)


# --- encode, space fit


def test_encode_gives_a_unit_row_a_line_and_notes_its_origin(cli, english, word_files):
    out = word_files.folder / "en.npy"
    done = cli("encode", english, "--language", "eng", "--encoder", word_files.en, "-o", out, "--json")
    vectors = np.load(out)
    assert vectors.shape == (3, 8)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    cat = word_files.english["cat"]
    np.testing.assert_allclose(vectors[2], cat / np.linalg.norm(cat), atol=1e-6)
    assert done.result["texts"] == 3
    assert done.result["encoder"].startswith("static-")
    about = cli("info", out, "--json").result
    assert (about["language"], about["role"], about["encoder"]) == ("eng", "symmetric", done.result["encoder"])


def test_encode_reads_standard_input_and_takes_a_role(cli, word_files):
    out = word_files.folder / "en.npy"
    arguments = ("encode", "-", "--language", "eng", "--role", "query", "--encoder", word_files.en, "-o", out)
    done = cli(*arguments, stdin="sun\nmoon\n")
    assert done.out == f"{out}: 2 vectors of dimension 8\n"
    assert json.loads(Path(f"{out}.json").read_text())["role"] == "query"


def test_sentence_vectors_are_centred_language_by_language(cli, english, word_files):
    folder = word_files.folder
    for name in ("eng", "fin"):
        cli("encode", english, "--language", name, "--encoder", word_files.en, "-o", folder / f"{name}.npy")
    arguments = ("space", "fit", f"fin={folder}/fin.npy", f"eng={folder}/eng.npy", "-o", folder / "c.space", "--json")
    result = cli(*arguments).result
    assert (result["method"], result["vectors"]) == ("centring", {"fin": 3, "eng": 3})
    space = SharedSpace.load(folder / "c.space")
    rows = np.load(folder / "eng.npy")
    np.testing.assert_allclose(space.maps["eng"].normalization.means[0], rows.mean(axis=0), atol=1e-6)
    # and what is encoded into it is mapped by it
    mapped = folder / "mapped.npy"
    with_space = ("--encoder", word_files.en, "--space", folder / "c.space")
    assert cli("encode", english, "--language", "eng", *with_space, "-o", mapped).code == 0
    np.testing.assert_allclose(np.load(mapped), space.transform(rows, "eng"), atol=1e-6)
    assert_error(
        cli("encode", english, "--language", "swa", *with_space, "-o", folder / "x.npy"),
        "c.space has no language 'swa'; it has: fin, eng",
    )
    assert_error(
        cli(
            "encode", english, "--language", "eng", "--encoder", word_files.fr, *with_space[2:], "-o", folder / "x.npy"
        ),
        "this space was learned on vectors of 'static-",
        "use the same encoder",
    )
    # vectors that are mapped already are neither mapped nor centred once more
    assert_error(
        cli("map", folder / "c.space", mapped, "--language", "eng", "-o", folder / "x.npy"), "was mapped into a shared"
    )
    assert_error(
        cli("space", "fit", f"eng={mapped}", "-o", folder / "x.space"), "was mapped into a shared space already"
    )
    assert not list(folder.glob("x.*"))


def test_vectors_of_two_encoders_or_dimensions_are_not_centred_together(cli, english, word_files):
    folder = word_files.folder
    for name, vectors in (("eng", word_files.en), ("fin", word_files.fr)):
        texts = english if name == "eng" else "-"
        arguments = ("encode", texts, "--language", name, "--encoder", vectors, "-o", folder / f"{name}.npy")
        cli(*arguments, stdin="soleil\nlune\n")
    fit = ("space", "fit", f"fin={folder}/fin.npy", f"eng={folder}/eng.npy", "-o", folder / "c.space")
    assert_error(cli(*fit), "the vectors must come from one encoder, but come from static-")
    for name, size in (("eng", 3), ("fin", 4)):
        np.save(folder / f"{name}.npy", np.eye(size))
        (folder / f"{name}.npy.json").unlink()  # the note of what was there
    assert_error(cli(*fit, "--quiet"), "{'fin': 4, 'eng': 3}")
    np.save(folder / "fin.npy", np.eye(3))
    assert "do not say which encoder" in cli(*fit).err
    assert cli(*fit, "--quiet").err == ""


def test_a_language_that_differs_from_the_note_is_remarked(cli, english, word_files):
    folder = word_files.folder
    cli("encode", english, "--language", "eng", "--encoder", word_files.en, "-o", folder / "a.npy")
    done = cli("space", "fit", f"fin={folder}/a.npy", "-o", folder / "c.space")
    assert done.code == 0
    assert "a.npy says that its language is 'eng', not 'fin'" in done.err


def test_a_file_without_texts_is_refused(cli, word_files, tmp_path):
    (tmp_path / "empty.txt").touch()
    encode = ("--language", "en", "--encoder", word_files.en, "-o", tmp_path / "a.npy")
    assert_error(cli("encode", tmp_path / "empty.txt", *encode), "empty.txt holds no text; give one a line")
    assert_error(cli("encode", "-", *encode, stdin=""), "standard input holds no text")
    assert not (tmp_path / "a.npy").exists()


# --- align, map, translate


@pytest.mark.parametrize(
    ("source", "target", "names"), [("{en}", "{fr}", ["en", "fr"]), ("eng={en}", "fra={fr}", ["eng", "fra"])]
)
def test_align_names_languages_by_argument_or_file(cli, word_files, source, target, names):
    files = {"en": word_files.en, "fr": word_files.fr}
    out = word_files.folder / "s.space"
    arguments = ("align", source.format(**files), target.format(**files), "--dictionary", word_files.pairs, "-o", out)
    result = cli(*arguments, "--json").result
    assert result["languages"] == names
    assert (result["pairs"], result["dictionary_pairs"], result["dimension"]) == (15, 15, 8)
    assert (result["method"], result["held_out"]) == ("procrustes", {})
    space = SharedSpace.load(out)
    cosines = space.transform(word_files.english.vectors, names[0]) * space.transform(
        word_files.french.vectors, names[1]
    )
    assert cosines.sum(axis=1).min() > 0.999  # the rotation is found, for words outside the dictionary too


def test_align_reads_one_file_from_standard_input(cli, word_files):
    out = word_files.folder / "s.space"
    pairs, english = Path(word_files.pairs).read_bytes(), Path(word_files.en).read_bytes()
    by_file = ("align", word_files.en, word_files.fr, "--dictionary", word_files.pairs, "-o", out)
    assert cli(*by_file).code == 0
    expected = SharedSpace.load(out).fingerprint
    assert cli("align", "en=-", word_files.fr, "--dictionary", word_files.pairs, "-o", out, stdin=english).code == 0
    assert SharedSpace.load(out).fingerprint == expected
    assert cli("align", word_files.en, word_files.fr, "--dictionary", "-", "-o", out, stdin=pairs).code == 0
    assert SharedSpace.load(out).fingerprint == expected


def test_align_says_what_was_read_on_standard_error_unless_quiet(cli, word_files):
    arguments = ("align", word_files.en, word_files.fr, "--dictionary", word_files.pairs, "-o", word_files.folder / "s")
    done = cli(*arguments)
    assert done.err.count("20 of 20 vectors of dimension 8 kept") == 2
    assert "15 of 15 pairs kept" in done.err
    assert "15 of 15" in done.out
    assert cli(*arguments, "--quiet").err == ""


def test_align_lowercases_and_cuts_the_vocabulary(cli, word_files):
    words = word_files.english
    Embeddings(tuple(label.title() for label in words.labels), words.vectors, "en").write(word_files.en)
    arguments = ("align", word_files.en, word_files.fr, "--dictionary", word_files.pairs, "-o", word_files.folder / "s")
    assert_error(cli(*arguments, "--quiet"), "none of the 15 dictionary pairs has both vectors", "casing")
    assert cli(*arguments, "--lowercase", "--json").result["pairs"] == 15
    assert cli(*arguments, "--lowercase", "--limit", "12", "--json").result["pairs"] == 12


def test_bad_files_of_words_and_pairs_are_named_by_line(cli, word_files, tmp_path):
    out = tmp_path / "s.space"
    (tmp_path / "bad.vec").write_text("3 2\nthe 1 2\nsun 3\nmoon 5 6\n")
    bad = ("align", f"en={tmp_path}/bad.vec", word_files.fr, "--dictionary", word_files.pairs, "-o", out)
    assert_error(cli(*bad, "--quiet"), "bad.vec, line 3: ", "use --skip-malformed")
    (tmp_path / "bad.tsv").write_bytes(b"sun\tsoleil\nmoon\nstar\t\xe9toile\n")
    pairs = ("align", word_files.en, word_files.fr, "--dictionary", tmp_path / "bad.tsv", "-o", out)
    assert_error(cli(*pairs, "--quiet"), "bad.tsv, line 2: ", "use --skip-malformed")
    assert not out.exists()
    assert cli(*pairs, "--skip-malformed", "--json").result["dictionary_pairs"] == 1


@pytest.mark.parametrize("name", ["out.vec", "out.npz", "out.npy"])
def test_map_takes_and_gives_any_format(cli, space_file, word_files, name):
    out = word_files.folder / name
    done = cli("map", space_file, "--language", "en", word_files.en, "-o", out, "--json")
    assert done.result == {"output": str(out), "vectors": 20, "dimension": 8}
    mapped = np.load(out) if name == "out.npy" else Embeddings.read(out).vectors
    expected = SharedSpace.load(space_file).transform(word_files.english.vectors, "en")
    np.testing.assert_allclose(mapped, expected, atol=1e-6)
    assert ("without their labels" in done.err) == (name == "out.npy")


def test_map_takes_npy_and_npz_and_standard_input(cli, space_file, word_files):
    folder, expected = word_files.folder, SharedSpace.load(space_file).transform(word_files.english.vectors, "en")
    word_files.english.write(folder / "en.npz")
    np.save(folder / "en.npy", word_files.english.vectors)
    for source, stdin in (
        (folder / "en.npz", None),
        (folder / "en.npy", None),
        ("-", Path(word_files.en).read_bytes()),
        ("-", (folder / "en.npy").read_bytes()),
    ):
        arguments = ("map", space_file, "--language", "en", source, "-o", folder / "out.npy")
        assert cli(*arguments, stdin=stdin).code == 0
        np.testing.assert_allclose(np.load(folder / "out.npy"), expected, atol=1e-6)
        (folder / "out.npy").unlink()


def test_map_refuses_what_does_not_fit(cli, space_file, word_files):
    folder = word_files.folder
    assert_error(
        cli("map", space_file, "--language", "de", word_files.en, "-o", folder / "x.vec"),
        "en-fr.space has no language 'de'; it has: en, fr",
    )
    np.save(folder / "wide.npy", np.eye(9))
    assert_error(
        cli("map", space_file, "--language", "en", folder / "wide.npy", "-o", folder / "x.npy"),
        "takes vectors of dimension 8, but these have 9",
    )
    np.save(folder / "bare.npy", np.eye(8))
    assert_error(
        cli("map", space_file, "--language", "en", folder / "bare.npy", "-o", folder / "x.vec"), "without labels"
    )
    assert_error(
        cli("map", word_files.en, "--language", "en", word_files.en, "-o", folder / "x.vec"), "no shared space"
    )
    assert_error(
        cli("map", space_file, "--language", "en", word_files.en, "-o", folder / "nowhere" / "x.vec"),
        "nowhere does not exist; create it first",
    )
    assert not list(folder.glob("x.*"))


def translate(space_file, word_files, *words):
    vectors = ("--vectors", f"en={word_files.en}", f"fr={word_files.fr}")
    return ("translate", space_file, "--from", "en", "--to", "fr", *vectors, *words)


def test_translate_takes_words_after_the_options_and_from_standard_input(cli, space_file, word_files):
    done = cli(*translate(space_file, word_files, "queen", "Night", "-", "--json", "-k", "2"), stdin="sun\n\nzebra\n")
    assert [each["word"] for each in done.result] == ["queen", "Night", "sun", "zebra"]
    assert [each["found_as"] for each in done.result] == ["queen", "night", "sun", None]
    best = [each["translations"][0]["word"] for each in done.result[:3]]
    assert best == ["reine", "nuit", "soleil"]
    assert [len(each["translations"]) for each in done.result] == [2, 2, 2, 0]
    assert f"no vector in {word_files.en} for: zebra" in done.err


def test_translate_prints_a_table(cli, space_file, word_files):
    done = cli(*translate(space_file, word_files, "queen", "zebra", "-k", "1", "--quiet"))
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["en", "rank", "fr", "score"]
    assert lines[1][:3] == ["queen", "1", "reine"]
    assert lines[2] == ["zebra", "(unknown", "word)"]
    assert done.err == ""


def test_translate_refuses_unknown_languages_and_vectors_without_words(cli, space_file, word_files):
    arguments = ("translate", space_file, "--from", "en", "--to", "de")
    vectors = ("--vectors", f"en={word_files.en}", f"de={word_files.fr}")
    assert_error(cli(*arguments, *vectors, "sun"), "en-fr.space has no language 'de'; it has: en, fr")
    np.save(word_files.folder / "bare.npy", np.eye(8))
    arguments = ("translate", space_file, "--from", "en", "--to", "fr", "--quiet")
    bare = ("--vectors", f"en={word_files.folder}/bare.npy", f"fr={word_files.fr}")
    assert_error(cli(*arguments, *bare, "sun"), "bare.npy holds vectors without words")


# --- errors, whole files, signals


def test_missing_files_are_named(cli, word_files, space_file):
    for arguments in (
        ("encode", "nowhere.txt", "--language", "en", "--encoder", word_files.en, "-o", "x.npy"),
        ("space", "fit", "en=nowhere.txt", "-o", "x.space"),
        ("align", "en=nowhere.txt", word_files.fr, "--dictionary", word_files.pairs, "-o", "x.space"),
        ("align", word_files.en, word_files.fr, "--dictionary", "nowhere.txt", "-o", "x.space"),
        ("map", "nowhere.txt", "--language", "en", word_files.en, "-o", "x.vec"),
        ("map", space_file, "--language", "en", "nowhere.txt", "-o", "x.vec"),
        ("index", "build", "nowhere.txt", "--encoder", word_files.en, "-o", "x"),
        ("encode", word_files.en, "--language", "en", "--encoder", "nowhere.vec", "-o", "x.npy"),
    ):
        assert_error(cli(*arguments, "--quiet"), "nowhere." + ("vec" if "nowhere.vec" in arguments else "txt"))


def test_lines_that_are_not_utf8_or_hold_no_known_word_are_named(cli, word_files, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"sun\n\xe9t\xe9\n")
    encode = ("encode", tmp_path / "a.txt", "--language", "en", "--encoder", word_files.en, "-o", tmp_path / "a.npy")
    assert_error(cli(*encode), "a.txt, line 2: the text must be UTF-8")
    (tmp_path / "a.txt").write_bytes(b"sun\n\nmoon\n")
    done = cli(*encode)
    assert_error(done, "a.txt, line 2: the text holds no known word: ''; leave such texts out, use word vectors")
    assert "unknown=" not in done.err  # an argument of the library, no option
    assert not (tmp_path / "a.npy").exists()


def test_debug_shows_the_traceback_before_the_line(cli):
    done = cli("info", "nowhere", "--debug")
    assert done.code == 1
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1] == "interlingua: error: nowhere: No such file or directory"


def test_an_unexpected_error_is_one_line_with_a_hint(cli, monkeypatch):
    def fail():
        raise RuntimeError("out of\ncheese")

    monkeypatch.setattr(description, "describe_installation", fail)
    assert_error(cli("info"), "RuntimeError: out of cheese (--debug shows where)")


@pytest.mark.filterwarnings("default")
def test_warnings_are_one_line_each(cli, tmp_path):
    words = sorted(f"w{number}" for number in range(200))
    Embeddings(tuple(words), np.ones((200, 2))).write(tmp_path / "abc.vec")
    arguments = ("encode", "-", "--language", "en", "--encoder", tmp_path / "abc.vec", "-o", tmp_path / "a.npy")
    done = cli(*arguments, stdin="w1\n")
    assert done.code == 0
    assert done.err.startswith("warning: the word vectors are in alphabetical order")
    assert len(done.err.splitlines()) == 1
    assert cli(*arguments, "--quiet", stdin="w1\n").err == ""


@pytest.mark.parametrize("command", ["encode", "fit", "align", "map"])
def test_a_command_that_ends_midway_leaves_the_old_file_and_no_other(
    cli, word_files, space_file, english, monkeypatch, command
):
    folder = word_files.folder / "out"
    folder.mkdir()
    out = folder / ("old.npy" if command in ("encode", "map") else "old.space")
    out.write_bytes(b"old")
    arguments = {
        "encode": ("encode", english, "--language", "en", "--encoder", word_files.en, "-o", out),
        "fit": ("space", "fit", f"en={word_files.folder}/en.npy", "-o", out),
        "align": ("align", word_files.en, word_files.fr, "--dictionary", word_files.pairs, "-o", out),
        "map": ("map", space_file, "--language", "en", word_files.en, "-o", out),
    }[command]
    np.save(word_files.folder / "en.npy", word_files.english.vectors)

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        assert_error(cli(*arguments, "--quiet"), "No space left on device")
    assert [path.name for path in folder.iterdir()] == [out.name]
    assert out.read_bytes() == b"old"
    before = out.stat().st_ino
    assert cli(*arguments).code == 0
    assert out.stat().st_ino != before  # replaced by a rename, never written into
    assert out.read_bytes() != b"old"
    assert {path.name for path in folder.iterdir()} <= {out.name, f"{out.name}.json"}


def test_ctrl_c_exits_with_130(cli, monkeypatch):
    def interrupt():
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(description, "describe_installation", interrupt)
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell starts in the background ignores it
    try:
        assert_error(cli("info"), "interrupted", code=130)
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="no pipes of this kind")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_reader_that_goes_away_is_no_error(word_files, options):
    wide = Embeddings(tuple(f"{number}-{'x' * 5000}" for number in range(100)), np.eye(100, 2) + 1)
    wide.write(word_files.folder / "wide.vec")
    command = [
        sys.executable,
        "-m",
        "interlingua.pipelines.commands.main",
        "info",
        str(word_files.folder / "wide.vec"),
        *options,
    ]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


def test_results_and_notes_go_to_their_own_streams_in_a_process(word_files, space_file):
    out = word_files.folder / "out.npy"
    options = ("--json", "--threads", "1", "--seed", "3")
    done = run_process("map", space_file, "--language", "en", word_files.en, "-o", out, *options)
    assert done.returncode == 0
    assert json.loads(done.stdout) == {"output": str(out), "vectors": 20, "dimension": 8}
    assert b"without their labels" in done.stderr
    assert np.load(out).shape == (20, 8)


def test_equal_commands_write_equal_files(cli, word_files):
    written = []
    for _ in range(2):
        arguments = ("align", word_files.en, word_files.fr, "--dictionary", word_files.pairs, "--seed", "5")
        cli(*arguments, "-o", word_files.folder / "s.space")
        written.append((word_files.folder / "s.space").read_bytes())
    assert written[0] == written[1]


def test_main_returns_the_exit_code(capsys):
    assert main(["info", "nowhere"]) == 1
    capsys.readouterr()
