"""The check of exported models in an environment of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from interlingua.benchmarks.sentences import encoders


def test_an_environment_that_has_this_project_is_refused(tmp_path, capfd):
    with pytest.raises(subprocess.CalledProcessError):
        encoders.vectors_elsewhere(sys.executable, tmp_path, {"en": ["a"]}, roles=("symmetric",), routed=False)
    assert "this environment is not clean: it has interlingua" in capfd.readouterr().err


def test_an_environment_is_made_once(tmp_path, monkeypatch):
    calls = []

    def create(folder, with_pip):
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(encoders.venv, "create", create)
    monkeypatch.setattr(encoders.subprocess, "run", lambda command, **_: calls.append(command))
    if encoders.os.name == "nt":
        pytest.skip("its Python lies elsewhere there")
    assert encoders.make_environment(tmp_path / "new") == encoders.make_environment(tmp_path / "new")
    ((*_, constraints, torch, library),) = calls
    assert (torch, library) == ("torch", "sentence-transformers")
    assert "sentence-transformers==" in Path(constraints).read_text(encoding="utf-8")


@pytest.mark.parametrize(("difference", "missed"), [(2e-7, 0), (2e-5, 1)])
def test_a_difference_above_the_goal_is_a_failure(difference, missed):
    row = {"task": "x", "method": "x", "metric": "largest difference", "value": difference}
    half = row | {"task": "half precision", "value": 4e-3}  # told, no failure
    assert len(encoders.missed([half, row])) == missed


@pytest.mark.parametrize(("cosine", "missed"), [(0.9991, 0), (0.998, 1)])
def test_the_encoder_in_float32_may_not_be_far_from_the_engine(cosine, missed):
    rows = [{"task": "x", "method": "x", "metric": "min cosine", "value": value} for value in (cosine, 0.99)]
    assert len(encoders.missed(rows)) == missed
