import numpy as np
import pytest

pytest.importorskip("datasets")

from interlingua.pipelines import load_encoder
from interlingua.pipelines.texts import write_pairs

pytestmark = pytest.mark.filterwarnings("ignore:training gained nothing")  # two steps may well gain nothing

FEW = ("--steps", 2, "--batch-size", 8, "--mini-batch-size", 8, "--held-out", 10, "--evaluations", 1, "--precision",
       "float32", "--quiet", "--json")  # fmt: skip


@pytest.fixture
def pairs_file(capital_pairs, tmp_path):
    path = tmp_path / "pairs.tsv"
    write_pairs(capital_pairs(60), path)
    return path


def test_contrastive_writes_an_encoder(cli, tiny_sentence_model, pairs_file, tmp_path):
    output = tmp_path / "out"
    arguments = ("--encoder", tiny_sentence_model, "--pairs", pairs_file, "-o", output, *FEW)
    done = cli("train", "contrastive", *arguments, "--learning-rate", "0.003", "--margin", "0.3")
    assert done.code == 0, done.err
    assert done.result["finished"]
    assert done.result["steps"] == 2
    assert set(done.result["start"]) == {"accuracy", "mrr", "spread"}
    assert load_encoder(output, cache=False).dimension == 32


def test_a_dry_run_tells_the_cost_and_writes_nothing(cli, tiny_sentence_model, pairs_file, tmp_path):
    arguments = ("--encoder", tiny_sentence_model, "--pairs", pairs_file, "-o", tmp_path / "out", *FEW, "--dry-run")
    done = cli("train", "contrastive", *arguments)
    assert done.code == 0, done.err
    assert (done.result["n_pairs"], done.result["n_held_out"], done.result["steps"]) == (50, 10, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.tsv"]


def test_a_stopped_run_is_resumed_with_the_option(cli, tiny_sentence_model, pairs_file, tmp_path):
    output = tmp_path / "out"
    arguments = ("train", "contrastive", "--encoder", tiny_sentence_model, "--pairs", pairs_file, "-o", output, *FEW)
    stopped = cli(*arguments, "--max-minutes", "1e-9")
    assert (stopped.code, stopped.result["finished"]) == (0, False)
    refused = cli(*arguments)
    assert refused.code == 1
    assert "resume" in refused.err
    assert cli(*arguments, "--resume").result["finished"]
    assert cli(*arguments).code == 2  # the folder is there now


def test_distil_teaches_the_teachers_dimension(
    cli, write_tiny_sentence_model, tiny_sentence_model, pairs_file, tmp_path
):
    teacher = write_tiny_sentence_model(tmp_path / "teacher", hidden=16, seed=1)
    output = tmp_path / "out"
    arguments = ("--teacher", teacher, "--student", tiny_sentence_model, "--pairs", pairs_file, "-o", output, *FEW)
    done = cli("train", "distill", *arguments, "--pivot", "source", "--learning-rate", "0.003")
    assert done.code == 0, done.err
    assert {"mrr", "accuracy_of_pairs", "unexplained"} <= set(done.result["start"])
    vectors = load_encoder(output, cache=False).encode(["a b", "C D"])
    assert vectors.shape == (2, 16)
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("wrong", [("--temperature", "0"), ("--margin", "-1"), ("--batch-size", "0")])
def test_wrong_numbers_are_a_usage_error(cli, pairs_file, tmp_path, wrong):
    assert cli("train", "contrastive", "--pairs", pairs_file, "-o", tmp_path / "out", *wrong).code == 2
