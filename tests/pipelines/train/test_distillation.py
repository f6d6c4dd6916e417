from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("datasets")

from interlingua.pipelines import load_encoder
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.train import DistillationSettings, distill, distillation
from interlingua.pipelines.train.distillation import estimate_distillation, ridge_projection
from interlingua.pipelines.train.scores import spread

QUICK = DistillationSettings(
    steps=4, batch_size=8, mini_batch_size=8, learning_rate=3e-3, evaluations=2, held_out=10, precision="float32"
)


class LetterTeacher:
    """Knows lower-case letters: the unit mean of one vector a letter, about a common mean as real encoders have."""

    identity, prompts = "letters", {"symmetric": "", "query": "", "passage": ""}

    def __init__(self, dimension=32, common=1.0):
        rng = np.random.default_rng(5)
        self.dimension = dimension
        self.table = rng.normal(size=(26, dimension)) + common * rng.normal(size=dimension)

    def encode(self, texts, *, role="symmetric", progress=False):
        rows = np.array([self.table[[ord(c) - 97 for c in text.split()]].sum(axis=0) for text in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def english_last(pairs):
    return [pair.swapped for pair in pairs]


def weights(folder):
    from sentence_transformers import SentenceTransformer

    return {name: each.numpy() for name, each in SentenceTransformer(str(folder)).state_dict().items()}


def test_ridge_projection_finds_the_affine_map_that_made_the_teacher():
    rng = np.random.default_rng(0)
    x, matrix, shift = rng.normal(size=(60, 5)) + 2, rng.normal(size=(3, 5)), rng.normal(size=3)
    weight, bias = ridge_projection(x, x @ matrix.T + shift)
    np.testing.assert_allclose(weight, matrix, atol=1e-4)
    np.testing.assert_allclose(bias, shift, atol=1e-3)


def test_ridge_projection_has_the_smallest_error_when_rows_are_left_out_one_by_one():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(25, 8))
    y = x @ rng.normal(size=(8, 2)) + 4 * rng.normal(size=(25, 2))
    scale = np.square(np.linalg.svd(x - x.mean(axis=0), compute_uv=False)).mean()

    def solve(rows, share):
        a, b = x[rows], y[rows]
        centred = a - a.mean(axis=0)
        w = np.linalg.solve(centred.T @ centred + share * scale * np.eye(8), centred.T @ (b - b.mean(axis=0)))
        return w, b.mean(axis=0) - a.mean(axis=0) @ w

    def left_out(share):
        total = 0.0
        for i in range(25):
            w, b = solve(np.delete(np.arange(25), i), share)
            total += np.square(x[i] @ w + b - y[i]).sum()
        return total

    best = min(distillation._RIDGE_GRID, key=left_out)
    w, b = solve(np.arange(25), best)
    weight, bias = ridge_projection(x, y)
    np.testing.assert_allclose(weight.T, w, atol=1e-5)
    np.testing.assert_allclose(bias, b, atol=1e-5)


def test_the_student_of_another_dimension_learns_and_is_loaded_by_both_libraries(
    write_tiny_sentence_model, capital_pairs, tmp_path
):
    from sentence_transformers import SentenceTransformer

    student = write_tiny_sentence_model(tmp_path / "tiny", dropout=0.0)
    teacher = LetterTeacher(dimension=20)
    settings = replace(QUICK, steps=30, batch_size=16, mini_batch_size=16, held_out=20)
    run = distill(teacher, student, english_last(capital_pairs(150)), output=tmp_path / "out", settings=settings)
    assert run.improved
    assert run.best["unexplained"] < run.start["unexplained"] < 1
    assert run.best["mrr"] > run.start["mrr"]
    plain, ours = (
        SentenceTransformer(str(tmp_path / "out")),
        load_encoder(tmp_path / "out", cache=False, dtype="float32"),
    )
    vectors = plain.encode(["A B C", "d e f"])
    assert vectors.shape == (2, 20)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(ours.encode(["A B C", "d e f"]), vectors, atol=1e-6)


def test_before_training_the_student_is_the_ridge_solution(tiny_sentence_model, capital_pairs):
    teacher, pairs = LetterTeacher(dimension=12), english_last(capital_pairs(60))
    training = distillation._training(teacher, tiny_sentence_model, pairs, QUICK)
    texts = [text for pair in pairs for text in (pair.source, pair.target)]
    start = training.score(training.model)
    raw = load_encoder(tiny_sentence_model, cache=False, dtype="float32").model.encode(texts)
    dense = training.model[-1].linear
    mapped = raw @ dense.weight.detach().numpy().T + dense.bias.detach().numpy()
    np.testing.assert_allclose(training.model.encode(texts), mapped, atol=1e-5)
    assert 0 < start["unexplained"] < 1.5


def test_parts_of_a_batch_add_up_to_the_whole(write_tiny_sentence_model, capital_pairs, tmp_path):
    student = write_tiny_sentence_model(tmp_path / "tiny", dropout=0.0)
    for size in (8, 4):
        settings = replace(QUICK, held_out=0, mini_batch_size=size, steps=2, projection="none")
        pairs = english_last(capital_pairs(40))
        distill(LetterTeacher(), student, pairs, output=tmp_path / str(size), settings=settings)
    whole, parts = weights(tmp_path / "8"), weights(tmp_path / "4")
    start = weights(student)
    for name in start:
        np.testing.assert_allclose(parts[name], whole[name], atol=2e-4)
    assert max(np.abs(whole[name] - start[name]).max() for name in start) > 2e-3


def test_layers_can_be_dropped(write_tiny_sentence_model, capital_pairs, tmp_path):
    student = write_tiny_sentence_model(tmp_path / "tiny", layers=3)
    settings = replace(QUICK, held_out=0, steps=1, layers=1)
    pairs = english_last(capital_pairs(20))
    distill(LetterTeacher(), student, pairs, output=tmp_path / "out", settings=settings)
    names = {name for name in weights(tmp_path / "out") if ".layer." in name}
    assert names
    assert all(".layer.0." in name for name in names)
    with pytest.raises(ValueError, match="between 1 and 3"):
        distill(LetterTeacher(), student, pairs, output=tmp_path / "other", settings=replace(settings, layers=4))


def test_the_pivot_says_which_side_the_teacher_reads(tiny_sentence_model, capital_pairs):
    pairs = capital_pairs(30)
    same = [
        distillation._training(
            LetterTeacher(), tiny_sentence_model, each, replace(QUICK, pivot=pivot, projection="none")
        )
        for each, pivot in ((pairs, "source"), (english_last(pairs), "target"))
    ]
    first, second = (np.array(training.dataset["label"]) for training in same)
    np.testing.assert_array_equal(first, second)
    assert same[0].dataset["source"][0].isupper()


def test_unequal_dimensions_need_a_projection(tiny_sentence_model, capital_pairs, tmp_path):
    pairs = english_last(capital_pairs(20))
    with pytest.raises(ValueError, match="32 dimensions and the teacher 20"):
        distill(
            LetterTeacher(20), tiny_sentence_model, pairs, output=tmp_path / "out",
            settings=DistillationSettings(projection="none"),
        )  # fmt: skip
    same = [Pair(pair.source, "a b c", "cap", "low") for pair in pairs]
    with pytest.raises(ValueError, match="nothing to distil"):
        distill(LetterTeacher(), tiny_sentence_model, same, output=tmp_path / "out")


def test_an_estimate_writes_nothing(tiny_sentence_model, capital_pairs):
    cost = estimate_distillation(LetterTeacher(), tiny_sentence_model, english_last(capital_pairs(60)), settings=QUICK)
    assert (cost.steps, cost.n_pairs) == (4, 50)
    assert [path.name for path in tiny_sentence_model.parent.iterdir()] == ["tiny"]


def distilled(folder, write_model, capital_pairs):
    """Train a student of random weights, without a projection; return its accuracy among the teacher's, its spread."""
    student = write_model(folder / "tiny", seed=1, dropout=0.0)
    settings = replace(QUICK, steps=250, batch_size=32, mini_batch_size=32, learning_rate=1e-2, held_out=0, seed=1,
                       projection="none", train_word_embeddings=True)  # fmt: skip
    pairs, unseen = english_last(capital_pairs(300)), english_last(capital_pairs(100, seed=9))
    distill(LetterTeacher(), student, pairs, output=folder / "out", settings=settings)
    encoder = load_encoder(folder / "out", cache=False, dtype="float32")
    vectors = encoder.encode([pair.source for pair in unseen])
    teacher = LetterTeacher().encode([pair.target for pair in unseen])
    right = (vectors @ teacher.T).argmax(axis=1) == np.arange(len(unseen))
    return right.mean(), spread(vectors) / spread(teacher)


@pytest.mark.slow
def test_a_student_does_not_collapse(write_tiny_sentence_model, capital_pairs, tmp_path):
    accuracy, relative_spread = distilled(tmp_path, write_tiny_sentence_model, capital_pairs)
    assert accuracy > 0.5
    assert relative_spread > 0.3


@pytest.mark.slow
def test_the_plain_mean_squared_error_of_unit_vectors_does_collapse(
    write_tiny_sentence_model, capital_pairs, tmp_path, monkeypatch
):
    """The control: `MSELoss`, the mean over components, is the scaled loss with the dimension for variance."""
    scaled = distillation.distillation_module
    monkeypatch.setattr(distillation, "distillation_module", lambda model, variance: scaled(model, variance=32.0))
    accuracy, relative_spread = distilled(tmp_path, write_tiny_sentence_model, capital_pairs)
    assert accuracy < 0.2
    assert relative_spread < 0.3
