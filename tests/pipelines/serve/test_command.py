"""The command `serve`: what it refuses before it reads anything, and what it starts."""

import pytest

from interlingua.pipelines.serve import run

ALL = "0.0.0.0"  # noqa: S104 - nothing listens


@pytest.mark.parametrize("host", [ALL, "::", "192.168.1.5", "example.org", ""])
def test_others_than_this_machine_need_a_key(cli, host, monkeypatch):
    monkeypatch.setattr(run, "listen", lambda *_, **__: pytest.fail("it listens"))
    done = cli("serve", "--host", host)
    assert done.code == 1
    assert "--api-key-file FILE" in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"), [("\n \n", "holds no key"), ("good-key\nbad key\n", "line 2"), ("kéy", "line 1")]
)
def test_files_that_hold_no_keys_are_refused_without_what_they_hold(cli, tmp_path, text, said):
    (tmp_path / "keys").write_text(text, encoding="utf-8")
    done = cli("serve", "--host", ALL, "--api-key-file", tmp_path / "keys")
    assert done.code == 1
    assert said in done.err
    assert "bad key" not in done.err


def test_folders_are_served_by_their_names_with_all_that_was_said(cli, words, tmp_path, monkeypatch):
    started = {}

    def serve(folders, **given):
        given["ready"]("http://127.0.0.1:1/")
        started.update(given, folders=folders)

    monkeypatch.setattr(run, "serve", serve)
    (tmp_path / "keys").write_text("secret-key\n", encoding="utf-8")
    given = ("--api-key-file", tmp_path / "keys", "--data", tmp_path / "data", "--mcp", "--allow-origin", "https://a.b")
    done = cli("serve", words, f"second={words}", "--host", ALL, "--port", 8000, *given)
    assert done.code == 0
    assert "words, second at http://127.0.0.1:1/" in " ".join(done.err.split())
    assert started["folders"] == {"words": words, "second": words}
    assert (started["host"], started["port"], started["mcp"], started["origins"]) == (
        ALL,
        8000,
        True,
        ["https://a.b"],
    )
    for wrong, code in (((words, words), 2), ((tmp_path / "none",), 1), ((f"a b={words}",), 2)):
        assert cli("serve", *wrong, "--data", tmp_path / "data").code == code
