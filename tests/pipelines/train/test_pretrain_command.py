"""`interlingua train pretrain`: costs, a run, a resumed run, and what is refused."""

import json

import pytest

from interlingua.pipelines import load_encoder
from interlingua.pipelines.commands.main import main

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("sentencepiece")

OPTIONS = "--layers 1 --width 16 --heads 2 --vocabulary 70 --batch-size 4 --steps 8 --max-length 12 --held-out 6"
MORE = " --device cpu --report-every 2 --save-every 2 --learning-rate 0.02"
SMALL = (OPTIONS + MORE).split()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    words = ("sun moon star sea", "jua mwezi nyota bahari")
    for name, some in zip(("en", "sw"), words, strict=True):
        listed = some.split()
        lines = [" ".join(listed[(row >> shift) % 4] for shift in (0, 2, 4)) for row in range(64)]
        (tmp_path / f"pairs.{name}").write_text("\n".join(lines) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys, *arguments):
    code = main(["train", "pretrain", "en=pairs.en", "sw=pairs.sw", *SMALL, *arguments])
    return code, *capsys.readouterr()


def test_a_run_writes_an_encoder_and_says_how_the_loss_fell(folder, capsys):
    code, out, err = run(capsys, "--pairs", "en-sw=pairs", "-o", "model", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert set(result["held_out_loss"]) == {"en", "sw"}
    begin, end = (sum(side) for side in zip(*result["held_out_loss"].values(), strict=True))
    assert end < 0.95 * begin
    assert load_encoder(folder / "model", device="cpu", cache=False).encode(["sun"]).shape == (1, 16)
    assert "pairs.en and pairs.sw: 64 of 64 pairs kept (moses)" in err
    assert err.count("step 8 of 8: loss") == 1
    code, out, err = run(capsys, "--pairs", "en-sw=pairs", "-o", "model", "--resume")
    assert (code, err.splitlines()[-1]) == (
        1,
        "interlingua: error: model is there already; name another folder or remove it",
    )


def test_a_dry_run_says_what_it_would_cost_and_makes_nothing(folder, capsys):
    before = sorted(folder.iterdir())
    code, out, err = run(capsys, "-o", "model", "--dry-run", "--json")
    assert code == 0, err
    cost = json.loads(out)
    assert cost["steps"] == 8
    assert cost["tokens"] == pytest.approx(8 * cost["tokens_per_step"], rel=0.05)
    assert cost["parameters"] > 1000
    assert sorted(folder.iterdir()) == before


def test_an_interrupted_run_is_resumed(folder, capsys, monkeypatch):
    from interlingua.pipelines.train import pretraining

    def fail(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "write_encoder", fail)
        assert run(capsys, "-o", "model")[0] == 130
    assert not (folder / "model").exists()
    code, _, err = run(capsys, "-o", "model")
    assert (code, "was not finished; resume it" in err) == (1, True)
    assert run(capsys, "-o", "model", "--resume")[0] == 0
    assert (folder / "model" / "model.safetensors").exists()


def test_a_run_can_be_done_in_pieces(folder, capsys):
    results = []
    for resume in ((), *[("--resume",)] * 3):
        code, out, err = run(capsys, "-o", "model", "--max-minutes", "0", "--json", *resume)
        assert code == 0, err
        results.append(json.loads(out))
    assert [result["finished"] for result in results] == [False, False, False, True]
    assert "stopped after 6 of 8 steps; go on with --resume" not in err
    run(capsys, "-o", "whole")
    first, second = (json.loads((folder / name / "pretraining.json").read_text()) for name in ("model", "whole"))
    assert first["history"] == second["history"]


def test_arguments_that_do_not_fit_are_refused(folder, capsys):
    assert main(["train", "pretrain", "pairs.en", "-o", "model"]) == 2
    assert "expected LANGUAGE=FILE" in capsys.readouterr().err
    assert main(["train", "pretrain", "en=-", "-o", "model"]) == 2
    assert run(capsys, "-o", "model", "--pairs", "en=pairs")[0] == 2
    assert run(capsys, "-o", "model", "--tlm-share", "3")[0] == 1
    capsys.readouterr()
    assert main(["train", "pretrain", "-o", "model"]) == 2
    assert "give LANGUAGE=FILE" in capsys.readouterr().err
