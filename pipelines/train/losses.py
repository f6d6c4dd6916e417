"""Losses as the trainer takes them: translations ranked, and distillation scaled to the teacher."""

from typing import Any

from interlingua.align.arrays import require
from interlingua.align.sentence.losses import translation_ranking_loss

from .settings import ContrastiveSettings


def scaled_distillation_loss(student: Any, teacher: Any, variance: float) -> Any:
    r"""Return the squared error as a share of the teacher's variance.

    .. math:: \frac{1}{n} \sum_i \lVert s_i - t_i \rVert^2 \Big/ v, \qquad
        v = \frac{1}{N} \sum_k \lVert t_k - \bar t \rVert^2

    A student that gives the teacher's mean for every text scores 1, a perfect one 0, whatever the teacher's scale and
    dimension: the plain mean squared error of a unit-length teacher of 384 dimensions is below 0.003 for both.

    Adam's steps do not depend on the scale of a loss, but gradient clipping does. The first gradients, while the
    student still has another mean and length than the teacher, are far larger than those that tell texts apart.
    Unclipped they stay in Adam's second moments for a thousand steps, which are then too small to leave the mean: the
    student collapses. Clipping at norm 1, the trainer's default, acts on this loss, and hardly ever on the unscaled
    one.

    Parameters
    ----------
    student, teacher : (n, d) tensor
        Vectors of the same texts.
    variance : float
        v, the teacher's total variance over all texts that are distilled.
    """
    return (student.float() - teacher.float()).square().sum(dim=1).mean() / variance


def ranking_module(model: Any, settings: ContrastiveSettings) -> Any:
    """Return `translation_ranking_loss` as a loss that sentence-transformers' trainer takes: of vectors of any length.

    Batches larger than `settings.mini_batch_size` are encoded in parts with cached gradients [1]_: the loss and its
    gradient are those of the whole batch, the memory that of a part.

    References
    ----------
    .. [1] Gao, Zhang, Han and Callan (2021), "Scaling deep contrastive learning batch size under memory limited
       setup", RepL4NLP. doi:10.18653/v1/2021.repl4nlp-1.31
    """
    losses: Any = require("sentence_transformers.sentence_transformer.losses", extra="train")
    torch = require("torch", extra="torch")

    def ranking(*sides: Any) -> Any:
        units = (torch.nn.functional.normalize(side.float(), dim=1) for side in sides)
        return translation_ranking_loss(
            *units,
            temperature=settings.temperature,
            margin=settings.margin,
            same_language_negatives=settings.same_language_negatives,
        )

    class Whole(losses.MultipleNegativesRankingLoss):  # type: ignore[misc]  # the library is untyped
        def compute_loss_from_embeddings(self, embeddings: Any, labels: Any = None) -> Any:
            return ranking(*embeddings)

    class Cached(losses.CachedMultipleNegativesRankingLoss):  # type: ignore[misc]
        def calculate_loss(self, reps: Any, labels: Any = None, *, with_backward: bool = False) -> Any:
            loss = ranking(*(torch.cat(parts) for parts in reps))
            if with_backward:
                loss.backward()
                loss = loss.detach()
            return loss

    if settings.batch_size > settings.mini_batch_size:
        return Cached(model, mini_batch_size=settings.mini_batch_size)
    return Whole(model)


def distillation_module(model: Any, *, variance: float) -> Any:
    """Return `scaled_distillation_loss` as a loss of the trainer, averaged over both texts of each pair."""
    torch: Any = require("torch", extra="torch")

    class Distillation(torch.nn.Module):  # type: ignore[misc]  # torch is untyped here
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, sentence_features: Any, labels: Any) -> Any:
            each = [
                scaled_distillation_loss(self.model(features)["sentence_embedding"], labels, variance)
                for features in sentence_features
            ]
            return sum(each) / len(each)

    return Distillation()
