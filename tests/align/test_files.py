"""A file is written whole or not at all."""

import errno
import os
import stat
import subprocess
import sys

import pytest

from interlingua.align.files import refuse_links, replacing, replacing_folder, replacing_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_new_content_appears_only_at_the_end_of_the_block(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path, "w") as file:
        file.write("new ü\n")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_bytes() == "new ü\n".encode()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_no_litter(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def fail():
        with replacing(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_a_library_may_write_or_replace_the_temporary_file_itself(tmp_path):
    with replacing_path(tmp_path / "a.bin") as temporary:
        other = tmp_path / "other"
        other.write_bytes(b"whole")
        other.replace(temporary)
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert names(tmp_path) == ["a.bin"]


def test_a_reader_with_the_old_file_open_keeps_its_content(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        with replacing(path) as file:
            file.write(b"new")
        assert reader.read() == b"old"


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as on POSIX")
def test_permissions_follow_the_umask_or_the_old_file_and_links_stay(tmp_path):
    new = tmp_path / "new"
    previous = os.umask(0o027)
    try:
        with replacing(new) as file:
            file.write(b"x")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640
    new.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(new)
    with replacing(link) as file:
        file.write(b"y")
    assert link.is_symlink()
    assert new.read_bytes() == b"y"
    assert stat.S_IMODE(new.stat().st_mode) == 0o600


@pytest.mark.skipif(not os.path.exists(os.devnull) or os.name != "posix", reason="needs a device file")  # noqa: PTH110
def test_a_device_is_written_to_and_never_replaced():
    with replacing(os.devnull) as file:
        file.write(b"x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116
    with pytest.raises(OSError, match="device"), replacing_path(os.devnull):
        pass


def test_folders_absent_folders_and_unknown_modes_are_refused(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"), replacing(tmp_path):
        pass
    with pytest.raises(FileNotFoundError, match="create it first"), replacing(tmp_path / "no" / "a"):
        pass
    with pytest.raises(ValueError, match="mode"), replacing(tmp_path / "a", "a"):
        pass
    assert names(tmp_path) == []


def test_a_killed_process_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    code = (
        "import sys, time\n"
        "from interlingua.align.files import replacing\n"
        "with replacing(sys.argv[1]) as file:\n"
        "    file.write(b'x' * 100000); file.flush(); print('writing', flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"writing\n"
        process.kill()
    assert process.returncode != 0
    assert path.read_bytes() == b"old"


def model_folder(path, text, error=None):
    with replacing_folder(path, marker="about.json", kind="model") as folder:
        (folder / "about.json").write_text(text)
        if error:
            raise error
        (folder / text).touch()


def test_a_folder_takes_the_place_of_an_older_one_of_its_kind(tmp_path):
    path = tmp_path / "above" / "model"
    model_folder(path, "old")
    model_folder(path, "new")
    assert names(path) == ["about.json", "new"]
    assert names(path.parent) == ["model"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_folder_and_no_litter(tmp_path, error):
    path = tmp_path / "model"
    model_folder(path, "old")
    with pytest.raises(error):
        model_folder(path, "half", error)
    assert names(path) == ["about.json", "old"]
    assert names(tmp_path) == ["model"]


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    path = tmp_path / "model"
    model_folder(path, "old")

    def refuse(self, target):
        raise OSError("no")

    monkeypatch.setattr(type(path), "replace", refuse)
    with pytest.raises(OSError, match="no"):
        model_folder(path, "new")
    assert names(path) == ["about.json", "old"]
    assert names(tmp_path) == ["model"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "note").write_text("kept")
    for path in (tmp_path / "mine", tmp_path / "mine" / "note"):
        with pytest.raises(FileExistsError, match="something else than a model"):
            model_folder(path, "new")
    assert (tmp_path / "mine" / "note").read_text() == "kept"


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("target", ["there.txt", "absent.txt", "/dev/null", "."])
def test_a_folder_s_own_file_takes_the_place_of_a_link(tmp_path, target):
    (tmp_path / "there.txt").write_text("mine")
    own = tmp_path / "own.json"
    own.symlink_to(target)
    with replacing(own, "w", links="replace") as file:
        file.write("new")
    assert own.read_text() == "new"
    assert not own.is_symlink()
    assert (tmp_path / "there.txt").read_text() == "mine"
    assert not (tmp_path / "absent.txt").exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
def test_links_among_a_folder_s_own_files_are_refused_by_name(tmp_path):
    (tmp_path / "real").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    refuse_links(tmp_path / "real", tmp_path / "absent")
    with pytest.raises(FileExistsError, match="link is a link, and nothing is written through one"):
        refuse_links(*tmp_path.glob("*"))


class SafetensorError(Exception):
    """As the library has it."""


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError("75900 requested and 36832 written"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file data/0"),
    ],
)
@pytest.mark.parametrize("write", [replacing_path, lambda path: replacing_folder(path, marker="a", kind="model")])
def test_a_full_disk_is_told_with_what_was_written(tmp_path, error, write):
    with pytest.raises(OSError, match=r"No space left on device: '.*out'") as caught, write(tmp_path / "out"):
        raise error
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space", "elsewhere"), OSError(errno.EACCES, "Denied"), ValueError("no")]
)
def test_other_errors_are_left_as_they_are(tmp_path, error):
    with pytest.raises(type(error)) as caught, replacing(tmp_path / "out"):
        raise error
    assert caught.value is error
