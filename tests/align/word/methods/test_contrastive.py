import numpy as np
import pytest
from scipy.stats import ortho_group

torch = pytest.importorskip("torch")

from interlingua.align.word.evaluation import parallel_accuracy  # noqa: E402
from interlingua.align.word.methods.contrastive import Contrastive, _fewest_epochs, contrastive_loss  # noqa: E402
from interlingua.align.word.methods.multi_step import MultiStep  # noqa: E402
from interlingua.align.word.methods.procrustes import Procrustes  # noqa: E402

FAST = {"device": "cpu", "epochs": 3, "batch_size": 32}


def rows(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def pairs(n):
    return np.stack([np.arange(n), np.arange(n)], axis=1)


def noisy_rotation(d_target, noise, n=300):
    source = rows(n, 8)
    rotation = ortho_group.rvs(d_target, random_state=3)[:8].astype(np.float32)
    return source, source @ rotation + noise * rows(n, d_target, seed=1)


def brute_loss(first, second, x, y, batch, weights, known, temperature):
    """The formula, pair by pair in float64."""

    def unit(vector):
        return vector / np.sqrt((vector**2).sum())

    u, v = ([unit(row @ matrix) for row in side] for side, matrix in ((x, first), (y, second)))
    listed = {tuple(pair) for pair in known.tolist()}
    total = 0.0
    for (i, j), weight in zip(batch.tolist(), weights, strict=True):
        right = np.exp(u[i] @ v[j] / temperature)
        over_y = sum(np.exp(u[i] @ v[k] / temperature) for k in range(len(v)) if k == j or (i, k) not in listed)
        over_x = sum(np.exp(u[k] @ v[j] / temperature) for k in range(len(u)) if k == i or (k, j) not in listed)
        total -= weight * (np.log(right / over_y) + np.log(right / over_x))
    return total / weights.sum()


def example():
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((5, 3), (4, 3), (7, 5), (9, 4))]
    known = np.array([[0, 0], [0, 3], [2, 3], [4, 8], [5, 8], [6, 1]])
    return arrays, known, known[[1, 0, 3]], np.array([1.0, 0.5, 2.0])


def loss_of(arrays, known, batch, weights, temperature=0.3):
    tensors = [torch.tensor(each, requires_grad=True) for each in arrays]
    loss = contrastive_loss(*tensors, batch, torch.tensor(weights), known=known, temperature=temperature)
    return loss, tensors


def test_loss_is_its_formula():
    arrays, known, batch, weights = example()
    expected = brute_loss(*arrays, batch, weights, known, 0.3)
    assert float(loss_of(arrays, known, batch, weights)[0].detach()) == pytest.approx(expected, abs=1e-12)


def test_gradient_is_that_of_the_formula_by_differences():
    arrays, known, batch, weights = example()
    loss, tensors = loss_of(arrays, known, batch, weights)
    loss.backward()
    for side in (0, 1):
        for place in np.ndindex(arrays[side].shape):
            ends = []
            for step in (1e-5, -1e-5):
                moved = [each.copy() for each in arrays]
                moved[side][place] += step
                ends.append(brute_loss(*moved, batch, weights, known, 0.3))
            expected = (ends[0] - ends[1]) / 2e-5
            assert float(tensors[side].grad[place]) == pytest.approx(expected, abs=1e-7)


def test_other_translations_of_a_word_are_not_pushed_away():
    arrays, known, batch, weights = example()
    only = batch[:1]  # 0 - 3; 0 - 0 and 2 - 3 are listed too
    _, tensors = result = loss_of(arrays, known, only, weights[:1])
    result[0].backward()
    assert float(tensors[3].grad[0].abs().max()) == 0.0
    assert float(tensors[2].grad[2].abs().max()) == 0.0
    assert float(tensors[3].grad[1].abs().max()) > 0.0
    unmasked, tensors = loss_of(arrays, only, only, weights[:1])
    unmasked.backward()
    assert float(tensors[3].grad[0].abs().max()) > 0.0
    assert float(unmasked.detach()) > float(result[0].detach())


@pytest.mark.parametrize("negatives", [None, 50])
@pytest.mark.parametrize("d_target", [8, 11])
def test_tuning_improves_a_poor_start_on_words_it_has_not_seen(d_target, negatives):
    source, target = noisy_rotation(d_target, 0.3)
    target = target @ np.diag(2.0 ** (np.arange(d_target) % 5)).astype(np.float32)  # no rotation any more
    start = Procrustes(normalize="unit")
    aligner = Contrastive(start=start, negatives=negatives, learning_rate=0.02, held_out=0.2, **FAST)
    aligner.fit(source, target, pairs(200), names=("a", "b"))
    scores = [
        parallel_accuracy(space.transform(source[200:], "a"), space.transform(target[200:], "b"))[0]
        for space in (aligner.start_.space_, aligner.space_)
    ]
    assert aligner.n_epochs_ > 0
    assert scores[1] > scores[0] + 0.05
    assert not hasattr(start, "space_")


def test_a_start_that_is_right_is_kept():
    source, target = noisy_rotation(8, 0.0)
    aligner = Contrastive(start=Procrustes(normalize="unit"), held_out=0.2, **FAST).fit(source, target, pairs(200))
    assert aligner.n_epochs_ == 0
    np.testing.assert_array_equal(aligner.space_.maps["source"].matrix, aligner.start_.space_.maps["source"].matrix)
    assert aligner.history_[0]["held_out_mrr"] == 1.0


def test_callback_sees_the_trial_and_then_the_final_fit():
    source, target = noisy_rotation(8, 1.0)
    seen = []
    aligner = Contrastive(held_out=0.3, learning_rate=0.05, callback=seen.append, **FAST)
    aligner.fit(source, target, pairs(100))
    ranks = [entry["held_out_mrr"] for entry in aligner.history_]
    assert len(ranks) == 4
    assert aligner.n_epochs_ <= int(np.argmax(ranks))
    assert len(seen) == 4 + aligner.n_epochs_
    assert [entry["iteration"] for entry in seen[1:4]] == [entry["iteration"] for entry in aligner.history_[1:]]


def test_the_fewest_epochs_within_one_standard_error_are_taken():
    ranks = np.random.default_rng(0).random(100)
    noise = np.tile([0.1, -0.1], 50)  # standard error of its mean: 0.01
    assert _fewest_epochs([ranks - 0.1, ranks - 0.009 + noise, ranks, ranks]) == 1
    assert _fewest_epochs([ranks - 0.1, ranks - 0.011 + noise, ranks, ranks]) == 2
    assert _fewest_epochs([ranks, ranks]) == 0


def test_the_objective_falls_from_epoch_to_epoch():
    source, target = noisy_rotation(8, 0.5)
    history = Contrastive(held_out=0, negatives=None, **FAST).fit(source, target, pairs(200)).history_
    assert history[2]["objective"] < history[1]["objective"] < history[0]["objective"]


def test_equal_seeds_give_equal_spaces_and_inputs_are_left_alone():
    source, target = noisy_rotation(11, 0.5)
    before = source.copy(), target.copy()
    spaces = [
        Contrastive(held_out=0, negatives=20, seed=seed, **FAST).fit(source, target, pairs(100)).space_
        for seed in (0, 0, 1)
    ]
    assert spaces[0].fingerprint == spaces[1].fingerprint
    assert spaces[0].fingerprint != spaces[2].fingerprint
    np.testing.assert_array_equal(source, before[0])
    np.testing.assert_array_equal(target, before[1])
    assert spaces[0].maps["source"].matrix.dtype == np.float32


def test_a_pair_of_weight_zero_is_not_seen():
    source, target = noisy_rotation(9, 0.5)
    wrong = np.concatenate([pairs(80), np.array([[100, 7], [101, 8]])])
    weights = np.r_[np.ones(80), 0.0, 0.0]
    settings = {"held_out": 0, "start": MultiStep(shrinkage=0.2), **FAST}
    got = Contrastive(**settings).fit(source, target, wrong, weights=weights).space_
    expected = Contrastive(**settings).fit(source, target, pairs(80)).space_
    np.testing.assert_allclose(got.transform(source, "source"), expected.transform(source, "source"), atol=1e-5)


def test_a_start_without_weights_gets_none():
    source, target = noisy_rotation(8, 0.2)
    aligner = Contrastive(start=Procrustes(), held_out=0, **FAST)
    aligner.fit(source, target, pairs(40), weights=np.linspace(0.5, 1, 40))
    assert aligner.start_.space_.method == "procrustes"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"learning_rate": -1.0}, "learning_rate must be positive"),
        ({"epochs": 0}, "at least 1, but are 0 and 512"),
        ({"batch_size": 0}, "at least 1, but are 4 and 0"),
        ({"negatives": -1}, "None takes all words"),
        ({"held_out": 0.7}, "held_out must lie in"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, said):
    with pytest.raises(ValueError, match=said):
        Contrastive(**parameters).fit(rows(30, 4), rows(30, 4), pairs(5))


def test_rows_weights_and_names_must_fit():
    with pytest.raises(ValueError, match="rows 0 to 29"):
        Contrastive().fit(rows(30, 4), rows(30, 4), np.array([[0, 30]]))
    with pytest.raises(ValueError, match="one number for each"):
        Contrastive().fit(rows(30, 4), rows(30, 4), pairs(5), weights=[1.0])
    with pytest.raises(ValueError, match="both are called 'en'"):
        Contrastive().fit(rows(30, 4), rows(30, 4), pairs(5), names=("en", "en"))
