"""The contrastive loss of sentence pairs: translations nearer than every other sentence of the batch."""

from typing import Any

from interlingua.align.arrays import require


def translation_ranking_loss(
    source: Any,
    target: Any,
    *,
    temperature: float = 0.05,
    margin: float = 0.0,
    ignore: Any = None,
    same_language_negatives: bool = False,
) -> Any:
    """Return the symmetric InfoNCE loss of a batch of translations, with an additive margin.

    With s_ij the cosine of source i and target j,

    loss = - 1/(2n) sum_i [ log( e^((s_ii - m)/tau) / (e^((s_ii - m)/tau) + sum_(j != i) e^(s_ij/tau)) )
    + log( e^((s_ii - m)/tau) / (e^((s_ii - m)/tau) + sum_(j != i) e^(s_ji/tau)) ) ].

    m = 0 is InfoNCE [1]_ both ways; m = 0.3 is the bidirectional additive margin softmax of LaBSE [2]_, where a
    translation must win by that much. A batch in which all vectors are equal has a loss of log n, plus what the
    margin adds.

    Parameters
    ----------
    source, target : (n, d) torch tensor
        Unit rows; row i of one translates row i of the other.
    temperature : float
        tau, the inverse of LaBSE's scale.
    margin : float
        m.
    ignore : (n, n) torch tensor of bool, optional
        Candidates to leave out, such as further right answers; the diagonal always counts.
    same_language_negatives : bool
        Add to both sums the other sentences of the same side, e^(x_i·x_j/tau) and e^(y_i·y_j/tau) [3]_: a translation
        must also win against what is said in its own language. That is what search over many languages at once needs.

    Returns
    -------
    torch scalar

    References
    ----------
    .. [1] van den Oord, Li and Vinyals (2018), "Representation learning with contrastive predictive coding".
       arXiv:1807.03748
    .. [2] Feng, Yang, Cer, Arivazhagan and Wang (2022), "Language-agnostic BERT sentence embedding", ACL.
       doi:10.18653/v1/2022.acl-long.62
    .. [3] Chen, Kornblith, Norouzi and Hinton (2020), "A simple framework for contrastive learning of visual
       representations", ICML. arXiv:2002.05709
    """
    torch = require("torch", extra="torch")
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, but is {temperature}")
    n = len(source)
    own = torch.eye(n, dtype=torch.bool, device=source.device)
    scores = (source @ target.T - margin * own) / temperature
    if ignore is not None:
        scores = scores.masked_fill(ignore & ~own, float("-inf"))
    there, back = scores, scores.T
    if same_language_negatives:
        left_out = own if ignore is None else own | ignore
        there, back = (
            torch.cat([table, (side @ side.T / temperature).masked_fill(left_out, float("-inf"))], dim=1)
            for table, side in ((there, source), (back, target))
        )
    gold = torch.arange(n, device=source.device)
    entropy = torch.nn.functional.cross_entropy
    return (entropy(there, gold) + entropy(back, gold)) / 2
