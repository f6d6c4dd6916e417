"""Losses over sentence pairs: contrastive with an additive margin, and distillation scaled to the teacher."""

from typing import Any

from interlingua.align.arrays import require


def additive_margin_loss(
    source: Any,
    target: Any,
    *,
    temperature: float = 0.05,
    margin: float = 0.0,
    same_language_negatives: bool = False,
) -> Any:
    r"""Return the symmetric softmax loss over the pairs of a batch, with a margin on the right answers.

    With :math:`\phi_{ij}` the cosine of source i and target j, the mean over i of

    .. math:: -\tfrac{1}{2} \log \frac{e^{(\phi_{ii} - m) / \tau}}
        {e^{(\phi_{ii} - m) / \tau} + \sum_{n \ne i} e^{\phi_{in} / \tau}}

    and the same with source and target swapped [1]_. With m = 0 this is symmetric InfoNCE.

    Parameters
    ----------
    source, target : (n, d) tensor
        Row i of one translates row i of the other; any length.
    temperature : float
        tau; 1 / tau is the scale s of the paper.
    margin : float
        m, at least 0; the paper takes 0.3.
    same_language_negatives : bool
        The sums also run over the other texts of the query's own side, as in [2]_: a translation has to be nearer
        than they are, which is what a search among texts of all languages needs.

    Returns
    -------
    () tensor
        Lower is better.

    References
    ----------
    .. [1] Yang, Hernandez Abrego, Yuan, Guo, Shen, Cer, Sung, Strope and Kurzweil (2019), "Improving multilingual
       sentence embedding using bi-directional dual encoder with additive margin softmax", IJCAI.
       arXiv:1902.08564
    .. [2] Chen, Kornblith, Norouzi and Hinton (2020), "A simple framework for contrastive learning of visual
       representations", ICML. arXiv:2002.05709
    """
    torch = require("torch", extra="torch")
    functional = torch.nn.functional
    u, v = functional.normalize(source.float(), dim=1), functional.normalize(target.float(), dim=1)
    right, own = torch.arange(len(u), device=u.device), torch.eye(len(u), dtype=torch.bool, device=u.device)
    scores = u @ v.T - margin * own
    loss = 0.0
    for across, side in ((scores, u), (scores.T, v)):
        candidates = across / temperature
        if same_language_negatives:
            within = (side @ side.T / temperature).masked_fill(own, float("-inf"))
            candidates = torch.cat([candidates, within], dim=1)
        loss = loss + functional.cross_entropy(candidates, right)
    return loss / 2


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


def ranking_module(
    model: Any,
    *,
    temperature: float,
    margin: float,
    same_language_negatives: bool,
    batch_size: int,
    mini_batch_size: int,
) -> Any:
    """Return `additive_margin_loss` as a loss that sentence-transformers' trainer takes.

    Batches larger than `mini_batch_size` are encoded in parts with cached gradients [1]_: the loss and its gradient
    are those of the whole batch, the memory that of a part.

    References
    ----------
    .. [1] Gao, Zhang, Han and Callan (2021), "Scaling deep contrastive learning batch size under memory limited
       setup", RepL4NLP. doi:10.18653/v1/2021.repl4nlp-1.31
    """
    losses: Any = require("sentence_transformers.sentence_transformer.losses", extra="train")
    torch = require("torch", extra="torch")
    options: dict[str, Any] = {
        "temperature": temperature,
        "margin": margin,
        "same_language_negatives": same_language_negatives,
    }

    class Whole(losses.MultipleNegativesRankingLoss):  # type: ignore[misc]  # the library is untyped
        def compute_loss_from_embeddings(self, embeddings: Any, labels: Any = None) -> Any:
            return additive_margin_loss(*embeddings, **options)

    class Cached(losses.CachedMultipleNegativesRankingLoss):  # type: ignore[misc]
        def calculate_loss(self, reps: Any, labels: Any = None, *, with_backward: bool = False) -> Any:
            loss = additive_margin_loss(*(torch.cat(parts) for parts in reps), **options)
            if with_backward:
                loss.backward()
                loss = loss.detach()
            return loss

    return Cached(model, mini_batch_size=mini_batch_size) if batch_size > mini_batch_size else Whole(model)


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
