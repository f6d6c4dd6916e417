import io
import json
import os
import subprocess
import sys
import tempfile
import warnings

import pytest

from interlingua.pipelines.commands.arguments import (
    UsageError,
    check_output_file,
    check_output_folder,
    named_file,
    named_pairs,
)
from interlingua.pipelines.commands.command import limit_threads
from interlingua.pipelines.commands.output import Output, shorten, table
from interlingua.pipelines.texts.lines import open_lines


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("fr=cc.fr.vec", ("fr", "cc.fr.vec")),
        ("fr=a=b.vec", ("fr", "a=b.vec")),
        ("EN.vec", ("en", "EN.vec")),
        ("data/en.glove.txt.gz", ("en", "data/en.glove.txt.gz")),
        ("run/k=3/en.vec", ("en", "run/k=3/en.vec")),  # a folder, not a language
        ("en=-", ("en", "-")),
    ],
)
def test_files_are_named_before_the_equals_sign_or_by_their_stem(argument, expected):
    assert named_file(argument) == expected


def test_a_file_whose_name_holds_an_equals_sign_is_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "en=1.vec").touch()
    assert named_file("en=1.vec") == ("en=1", "en=1.vec")


@pytest.mark.parametrize("argument", ["en.npy", "=en.npy", "en="])
def test_a_name_that_is_needed_is_asked_for(argument):
    with pytest.raises(UsageError, match=r"expected LANGUAGE=FILE, such as en=vectors\.npy, but got"):
        named_file(argument, named=True)


def test_standard_input_has_no_stem_to_be_named_by():
    with pytest.raises(UsageError, match="LANGUAGE=FILE"):
        named_file("-")


def test_lines_end_at_newlines_only(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffone\r\ntwo\u2028still two\n\nfour\x0b".encode())
    with open_lines(str(tmp_path / "a.txt")) as lines:
        assert list(lines) == ["one", "two\u2028still two", "", "four\x0b"]


def test_lines_come_from_standard_input_and_bad_ones_are_named(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("moi\né\n".encode() + b"\xe9\n")))
    with open_lines("-") as lines:
        assert [next(lines), next(lines)] == ["moi", "é"]
        with pytest.raises(ValueError, match="standard input, line 3: the text must be UTF-8"):
            next(lines)


def test_texts_are_shortened_to_one_line():
    assert shorten("all\n human  beings", 99) == "all human beings"
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"


def test_output_places_are_checked_before_the_work(tmp_path):
    check_output_file(str(tmp_path / "new"))
    with pytest.raises(IsADirectoryError, match="is a folder; name a file in it"):
        check_output_file(str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"the folder .*nowhere does not exist; create it first"):
        check_output_file(str(tmp_path / "nowhere" / "file"))


@pytest.fixture
def sealed(tmp_path, monkeypatch):
    """A folder that cannot be written, whoever runs the tests."""
    folder = tmp_path / "sealed"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):  # the superuser may write everywhere

        def refuse(*, dir, real=tempfile.TemporaryFile):
            if folder in (dir, *dir.parents):
                raise PermissionError(13, "Permission denied", str(dir))
            return real(dir=dir)

        monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(sealed):
    with pytest.raises(
        PermissionError, match=r"cannot write .*out\.npy: .*sealed cannot be written \(Permission denied\)"
    ):
        check_output_file(str(sealed / "out.npy"))
    with pytest.raises(PermissionError, match="sealed cannot be written"):
        check_output_folder(str(sealed / "new" / "collection"))


def test_folders_are_refused_where_a_file_lies_in_their_way_and_else_left_unmade(tmp_path):
    check_output_folder(str(tmp_path))
    check_output_folder(str(tmp_path / "new" / "deep"))
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(NotADirectoryError, match="file is a file; name another folder"):
            check_output_folder(str(path))


def test_a_device_can_be_an_output():
    if not os.path.exists("/dev/stdout"):  # noqa: PTH110 - the link, not what it leads to
        pytest.skip("there is no /dev/stdout here")
    check_output_file("/dev/stdout")


def test_commands_say_that_a_place_cannot_be_written_before_they_encode(
    sealed, cli, texts_file, word_files, space_file
):
    lines = word_files.folder / "lines.txt"
    lines.write_text("sun\n")
    encoder = ("--encoder", word_files.folder / "nothing.vec")  # would be an error too, but a later one
    for arguments in (
        ("encode", lines, "--language", "en", *encoder, "-o", sealed / "out.npy"),
        ("index", "build", texts_file, *encoder, "-o", sealed / "collection"),
        ("map", space_file, word_files.folder / "nothing.vec", "--language", "en", "-o", sealed / "out.vec"),
        ("export", space_file, *encoder, "-o", sealed / "model"),
    ):
        failed = cli(*arguments)
        assert failed.code == 1
        assert "sealed cannot be written" in failed.err
        assert failed.err.count("\n") == 1


def test_tables_show_texts_as_they_are_and_fold_nothing(capsys):
    long = "x" * 500
    rows = [("[bold]a[/bold]", 0.5), (":smile: [/] " + long, 2)]
    Output().result(None, lambda: [table("text", "score>", rows=rows, title="[red] is :cat:?")])
    out = capsys.readouterr().out
    assert "[red] is :cat:?" in out
    assert "[bold]a[/bold]" in out
    assert "0.500" in out
    assert ":smile: [/] " + long + " " in out
    assert len(out.splitlines()) == 4


def test_a_table_without_names_has_no_header(capsys):
    Output().result(None, lambda: [table("", "", rows=[("a", "b")])])
    assert capsys.readouterr().out.split() == ["a", "b"]


def test_json_is_one_document_and_nothing_else(capsys):
    Output(as_json=True).result({"text": "moi 火 [b]"}, lambda: ["never shown"])
    out = capsys.readouterr().out
    assert json.loads(out) == {"text": "moi 火 [b]"}
    assert "火" in out


def test_json_is_escaped_where_the_output_has_no_such_letters(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    Output(as_json=True).result({"text": "火"}, lambda: [])
    stream.flush()
    assert json.loads(stream.buffer.getvalue()) == {"text": "火"}


def test_notes_and_warnings_go_to_standard_error_in_one_line_unless_quiet(capsys):
    for quiet in (False, True):
        output = Output(quiet=quiet)
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            with output.warnings_as_notes():
                output.note("a note " * 30)
                warnings.warn("mind\nthe gap", UserWarning, stacklevel=1)
        out, err = capsys.readouterr()
        assert out == ""
        assert [line.strip() for line in err.splitlines()] == (
            [] if quiet else [("a note " * 30).strip(), "warning: mind the gap"]
        )


def test_no_progress_without_a_terminal(capsys):
    output = Output()
    assert not output.progress
    with output.working("thinking"):
        pass
    assert capsys.readouterr() == ("", "")


def test_threads_are_limited_in_libraries_loaded_before_and_after():
    code = """
import numpy, os
from threadpoolctl import threadpool_info
from interlingua.pipelines.commands.command import limit_threads
limit_threads(1)
import faiss
assert {pool["num_threads"] for pool in threadpool_info()} == {1}, threadpool_info()
assert faiss.omp_get_max_threads() == 1
"""
    environment = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_no_limit_changes_nothing(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    limit_threads(None)
    assert "OMP_NUM_THREADS" not in os.environ


def test_pairs_are_named_by_two_languages(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert named_pairs("pairs.en") == ("pairs.en", None)
    assert named_pairs("runs/a=b.tsv") == ("runs/a=b.tsv", None)
    for wrong in ("a-b-c=x", "en=x", "en-=x", "en-fr="):
        with pytest.raises(UsageError, match="SOURCE-TARGET=FILE"):
            named_pairs(wrong)
