import math

import numpy as np
import pytest

from interlingua.align.sentence.losses import translation_ranking_loss

torch = pytest.importorskip("torch")


def unit(n=4, d=5, seed=0):
    rows = np.random.default_rng(seed).normal(size=(n, d))
    return torch.from_numpy(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def test_two_pairs_by_hand():
    # cosines [[1, 0], [0, 0.6]], tau 0.5, m 0.2: rows -log(e^1.6/(e^1.6+1)), -log(e^0.8/(e^0.8+1)), both ways alike
    source, target = torch.eye(2, dtype=torch.float64), torch.tensor([[1.0, 0.0], [0.0, 0.6]], dtype=torch.float64)
    expected = (math.log(1 + math.exp(-1.6)) + math.log(1 + math.exp(-0.8))) / 2
    assert float(translation_ranking_loss(source, target, temperature=0.5, margin=0.2)) == pytest.approx(expected)


@pytest.mark.parametrize("margin", [0.0, 0.3])
def test_it_equals_the_sums_of_the_formula(margin):
    x, y = unit(seed=1), unit(seed=2)
    s, total = (x @ y.T).numpy(), 0.0
    for table in (s, s.T):
        for i in range(4):
            own = math.exp((table[i, i] - margin) / 0.1)
            total -= math.log(own / (own + sum(math.exp(table[i, j] / 0.1) for j in range(4) if j != i)))
    assert float(translation_ranking_loss(x, y, temperature=0.1, margin=margin)) == pytest.approx(total / 8)


def test_equal_vectors_cost_log_n():
    same = torch.ones(6, 3, dtype=torch.float64) / math.sqrt(3)
    assert float(translation_ranking_loss(same, same)) == pytest.approx(math.log(6))


def test_an_ignored_candidate_does_not_count():
    x, y = unit(seed=1), unit(seed=2)
    ignore = torch.zeros(4, 4, dtype=torch.bool)
    ignore[3, :3] = ignore[:3, 3] = True
    ignore[0, 0] = True  # a pair itself always counts
    three = float(translation_ranking_loss(x[:3], y[:3])) * 3
    assert float(translation_ranking_loss(x, y, ignore=ignore)) * 4 == pytest.approx(three)


def test_sentences_of_the_own_language_join_the_sums():
    x, y = unit(seed=1), unit(seed=2)
    cross, total = (x @ y.T).numpy(), 0.0
    for table, inside in ((cross, (x @ x.T).numpy()), (cross.T, (y @ y.T).numpy())):
        for i in range(4):
            others = sum(math.exp(table[i, j] / 0.1) + math.exp(inside[i, j] / 0.1) for j in range(4) if j != i)
            total += math.log(1 + others / math.exp(table[i, i] / 0.1))
    found = translation_ranking_loss(x, y, temperature=0.1, same_language_negatives=True)
    assert float(found) == pytest.approx(total / 8)


def test_gradients_are_those_of_finite_differences():
    x, y = unit(seed=1).requires_grad_(), unit(seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: translation_ranking_loss(a, b, temperature=0.2, margin=0.1), (x, y))


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(ValueError, match="temperature must be positive"):
        translation_ranking_loss(unit(), unit(), temperature=0)
