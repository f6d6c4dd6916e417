import numpy as np
import pytest

pytest.importorskip("sentence_transformers")

import torch

from interlingua.pipelines.train import ContrastiveSettings
from interlingua.pipelines.train.losses import (
    distillation_module,
    ranking_module,
    scaled_distillation_loss,
)


def by_hand(x, y, temperature, margin, same=False):
    """The formula, term by term in float64."""
    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x.astype(float), y.astype(float)))
    total = 0.0
    for a, b in ((x, y), (y, x)):
        for i in range(len(a)):
            right = np.exp((a[i] @ b[i] - margin) / temperature)
            wrong = sum(np.exp(a[i] @ b[n] / temperature) for n in range(len(b)) if n != i)
            wrong += same * sum(np.exp(a[i] @ a[n] / temperature) for n in range(len(a)) if n != i)
            total -= np.log(right / (right + wrong))
    return total / (2 * len(x))


class Lookup(torch.nn.Module):
    """An "encoder" whose sentence vectors are rows of a table."""

    def __init__(self, n, dimension):
        super().__init__()
        self.table = torch.nn.Embedding(n, dimension)

    def __getitem__(self, place):
        return self

    def forward(self, features):
        return {**features, "sentence_embedding": self.table(features["input_ids"][:, 0])}


def features(*rows):
    return {"input_ids": torch.tensor(rows)[:, None], "attention_mask": torch.ones(len(rows), 1, dtype=torch.long)}


def loss_and_gradient(model, module, *columns):
    model.zero_grad()
    loss = module([dict(column) for column in columns], None)
    loss.backward()
    return float(loss.detach()), model.table.weight.grad.clone()


@pytest.fixture
def lookup():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return Lookup(12, 5)


@pytest.mark.parametrize(("margin", "same"), [(0.0, False), (0.3, True)])
def test_cached_parts_give_the_loss_and_gradient_of_the_whole_batch(lookup, margin, same):
    columns = features(0, 1, 2, 3, 4, 5), features(6, 7, 8, 9, 10, 11)
    (whole, gradient), (parts, cached) = (
        loss_and_gradient(
            lookup,
            ranking_module(
                lookup,
                ContrastiveSettings(
                    temperature=0.1, margin=margin, same_language_negatives=same, batch_size=6, mini_batch_size=size
                ),
            ),
            *columns,
        )
        for size in (6, 2)
    )
    assert parts == pytest.approx(whole, rel=1e-5)
    np.testing.assert_allclose(cached, gradient, atol=1e-6)
    table = lookup.table.weight.detach().numpy()
    assert whole == pytest.approx(by_hand(table[:6], table[6:], 0.1, margin, same), rel=1e-5)


def test_no_margin_is_the_librarys_symmetric_infonce(lookup):
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    columns = features(0, 1, 2), features(6, 7, 8)
    both = {"directions": ("query_to_doc", "doc_to_query"), "partition_mode": "per_direction"}
    theirs, gradient = loss_and_gradient(lookup, MultipleNegativesRankingLoss(lookup, scale=20.0, **both), *columns)
    module = ranking_module(lookup, ContrastiveSettings(batch_size=3, mini_batch_size=3))
    ours, same = loss_and_gradient(lookup, module, *columns)
    assert ours == pytest.approx(theirs, rel=1e-5)
    np.testing.assert_allclose(same, gradient, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 50.0])
def test_the_mean_predictor_scores_one_and_the_teacher_zero_at_any_scale(scale):
    teacher = scale * (np.random.default_rng(1).normal(size=(40, 6)) * np.arange(1, 7) + 3)
    mean = teacher.mean(axis=0)
    variance = float(np.square(teacher - mean).sum(axis=1).mean())
    rows = torch.tensor(teacher, dtype=torch.float32)
    constant = torch.tensor(np.tile(mean, (40, 1)), dtype=torch.float32)
    assert float(scaled_distillation_loss(constant, rows, variance)) == pytest.approx(1.0, rel=1e-4)
    assert float(scaled_distillation_loss(rows, rows, variance)) == 0.0


def test_distillation_pulls_both_texts_to_the_teacher(lookup):
    teacher = torch.zeros(2, 5)
    loss = distillation_module(lookup, variance=2.0)([features(0, 1), features(2, 3)], teacher)
    expected = np.square(lookup.table.weight[:4].detach().numpy()).sum(axis=1).mean() / 2
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
