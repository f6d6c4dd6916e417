"""The check of exported models in an environment of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from interlingua.benchmarks.sentences import export


def test_an_environment_that_has_this_project_is_refused(tmp_path, capfd):
    with pytest.raises(subprocess.CalledProcessError):
        export.vectors_elsewhere(sys.executable, tmp_path, {"en": ["a"]}, roles=("symmetric",), routed=False)
    assert "this environment is not clean: it has interlingua" in capfd.readouterr().err


def test_an_environment_is_made_once(tmp_path, monkeypatch):
    calls = []

    def create(folder, with_pip):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(export.venv, "create", create)
    monkeypatch.setattr(export.subprocess, "run", lambda command, **_: calls.append(command))
    if export.os.name == "nt":
        pytest.skip("its Python lies elsewhere there")
    assert export.make_environment(tmp_path / "new") == export.make_environment(tmp_path / "new")
    ((*_, constraints, torch, library),) = calls
    assert (torch, library) == ("torch", "sentence-transformers")
    assert "sentence-transformers==" in Path(constraints).read_text(encoding="utf-8")


@pytest.mark.parametrize(("difference", "code"), [(2e-7, 0), (2e-5, 1)])
def test_a_difference_above_the_goal_is_a_failure(monkeypatch, difference, code):
    row = dict.fromkeys(("task", "data", "method", "metric"), "x") | {"value": difference, "n": 1}
    half = row | {"task": "half precision", "value": 4e-3}  # told, no failure
    seen = []
    monkeypatch.setattr(export, "run", lambda environment: seen.append(environment) or [half, row])
    assert export.main(["--environment", "somewhere", "--dry-run"]) == code
    assert [str(each) for each in seen] == ["somewhere"]
