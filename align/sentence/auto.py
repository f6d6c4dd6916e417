"""One call from translations to a shared space: the head's capacity follows from the pairs, and all are compared."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from interlingua.align.arrays import MissingExtraError, require
from interlingua.align.sentence.methods.consensus import Consensus
from interlingua.align.sentence.methods.head import ContrastiveHead
from interlingua.align.space import SharedSpace

from .parallel import ParallelVectors, TranslationQuality, translation_quality

Capacity = Literal["auto", "centring", "closed-form", "low-rank", "linear", "mlp"]
Callback = Callable[[Mapping[str, Any]], None]

_FEW = 500
_SOME = 5_000
_MANY = 50_000
#: Of heads: the best in accuracy and in surprisal of those in `benchmarks/results/head_settings.json`.
_PENALTY, _MARGIN = 0.03, 0.3
#: Share of the training sentences that tells a head how many steps are best.
_STOPPED_BY = 0.1


@dataclass(frozen=True)
class SentenceCandidate:
    """An aligner to try.

    Attributes
    ----------
    name : str
        What reports call it.
    aligner : aligner
        Has `fit(parallel)` and `space_`.
    """

    name: str
    aligner: Any


def align_sentences(
    parallel: Any,
    *,
    validation: Any = None,
    capacity: Capacity = "auto",
    pivot: str = "",
    held_out: float = 0.1,
    n_seeds: int = 1,
    seed: int = 0,
    encoder: str = "",
    device: str = "auto",
    callback: Callback | None = None,
) -> SharedSpace:
    """Align languages by sentence pairs, with as much of a head as the pairs can teach.

    With ``capacity="auto"`` the number of pairs says what is tried:

    ============== ============================================================================
    pairs          candidates
    ============== ============================================================================
    below 500      centring; a rotation near the identity
    500 to 5,000   and: the same rotation, or a ridge, with whitening within meanings (`Consensus`)
    above 5,000    and: a low-rank and a linear contrastive head on it (`ContrastiveHead`; needs torch)
    above 50,000   and: a small network
    ============== ============================================================================

    All are fitted without the held-out translations and scored on them and on `validation`: CSLS retrieval both ways,
    the mean over domains. Of those that are at least as accurate as centring the one with the least surprisal
    (see `TranslationQuality`) is fitted again on all of `parallel`. What is compared on serves nothing else: a head
    learns from a tenth of its training sentences (half, where that is too few) when to stop, and then from all of them.
    Validation from another domain than the training pairs is worth more than more pairs of the same.

    Parameters
    ----------
    parallel : ParallelVectors, or what `ParallelVectors.of` takes
        Translations, in one domain or several.
    validation : the same, optional
        Translations of further domains, to choose by; nothing is fitted to them.
    capacity : {"auto", "centring", "closed-form", "low-rank", "linear", "mlp"}
        The largest head that is tried; fewer pairs do not forbid it then.
    pivot : str
        Score each language with this one only, and take it in half of the training steps.
    held_out : float
        Share of the sentences of each domain to choose by, in [0, 0.5].
    n_seeds : int
        Repetitions of a contrastive head.
    seed : int
        The first one's.
    encoder : str
        Identity of the encoder that made the vectors, kept in the space.
    device : str
        For contrastive heads.
    callback : callable, optional
        Gets {"candidate", "iteration", "objective", ...} while heads learn, and {"candidate", "accuracy",
        "surprisal"} after each candidate.

    Returns
    -------
    SharedSpace
        With the scores ``accuracy``, ``surprisal``, ``centred_accuracy`` and ``accuracy: DOMAIN``, and the
        provenance: ``candidates`` with their scores, ``chosen`` with the reason.

    Raises
    ------
    ValueError
        If nothing can be held out and no validation is given, the pivot is no language of `parallel`, or as
        `ParallelVectors.of`.

    References
    ----------
    .. [1] Feng, Yang, Cer, Arivazhagan and Wang (2022), "Language-agnostic BERT sentence embedding", ACL.
       doi:10.18653/v1/2022.acl-long.62

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> meaning = rng.normal(size=(300, 16)).astype(np.float32)
    >>> turned = meaning @ np.linalg.qr(rng.normal(size=(16, 16)))[0].astype(np.float32)
    >>> space = align_sentences({"eng": meaning, "fin": turned + 1})
    >>> space.provenance["chosen"]["candidate"], space.scores["accuracy"] > 0.95
    ('rotation', True)
    """
    if capacity not in get_args(Capacity):
        raise ValueError(f"capacity must be one of {', '.join(get_args(Capacity))}, but is {capacity!r}")
    if not 0 <= held_out <= 0.5:
        raise ValueError(f"held_out must lie in [0, 0.5], but is {held_out}")
    parallel = ParallelVectors.of(parallel)
    parallel.check_pivot(pivot)
    train, held = parallel.split(held_out, seed)
    held = held.with_validation(validation)
    if not held:
        raise ValueError(
            f"there is nothing to compare on: {held_out:.0%} of {parallel.sizes} sentences are fewer than 20 in each "
            "domain; give validation pairs or more pairs, or fit `Centring` by itself"
        )
    candidates, left_out = candidates_for(parallel.n_pairs, capacity)
    tried: dict[str, tuple[SentenceCandidate, TranslationQuality]] = {}
    for candidate in candidates:
        _configure(candidate, pivot=pivot, n_seeds=n_seeds, seed=seed, device=device, callback=callback)
        fitted = _fit(candidate, train, trial=True)
        quality = translation_quality(fitted.transform, held, pivot=pivot)
        tried[candidate.name] = (candidate, quality)
        if callback is not None:
            callback({"candidate": candidate.name, "accuracy": quality.accuracy, "surprisal": quality.surprisal})
    centred = tried["centring"][1]
    sound = [name for name, (_, quality) in tried.items() if quality.accuracy >= centred.accuracy]
    best = min(sound, key=lambda name: tried[name][1].surprisal)
    candidate, quality = tried[best]
    space = _fit(candidate, parallel, trial=False)
    return SharedSpace(
        space.maps,
        space.method,
        encoder,
        {
            "accuracy": quality.accuracy,
            "surprisal": quality.surprisal,
            "centred_accuracy": centred.accuracy,
            **{f"accuracy: {name}": value for name, value in quality.by_domain.items()},
        },
        {
            **space.provenance,
            "candidates": [
                {"candidate": name, "accuracy": each.accuracy, "surprisal": each.surprisal}
                for name, (_, each) in tried.items()
            ],
            "chosen": {
                "candidate": best,
                "because": f"the least surprisal of the {len(sound)} of {len(tried)} candidates that are at least as "
                "accurate as centring on held-out translations",
            },
            "not_tried": left_out,
            "validation": [name for name in held.domains if name.startswith("validation: ")],
            "pairs": parallel.n_pairs,
            "sentences": parallel.sizes,
        },
    )


def candidates_for(n_pairs: int, capacity: Capacity = "auto") -> tuple[list[SentenceCandidate], str]:
    """Return what is tried with that many pairs, the simplest first, and why a larger head is not.

    Examples
    --------
    >>> [each.name for each in candidates_for(400)[0]]
    ['centring', 'rotation']
    """
    found = [SentenceCandidate("centring", _Centred())]
    level = _level(n_pairs, capacity)
    if level >= 1:
        found.append(SentenceCandidate("rotation", Consensus(turn="rotation", penalty=0.1, shrinkage=None)))
    if level >= 2:
        found += [
            SentenceCandidate("whitening", Consensus(turn="none", shrinkage=0.7)),
            SentenceCandidate("rotation + whitening", Consensus(turn="rotation")),
            SentenceCandidate("ridge + whitening", Consensus(turn="ridge")),
            SentenceCandidate("light ridge + whitening", Consensus(turn="ridge", penalty=0.3)),
        ]
    if level < 3:
        return found, ""
    try:
        require("torch", extra="torch")
    except MissingExtraError as error:
        return found, str(error)
    kinds: dict[str, dict[str, Any]] = {
        "low-rank head": {"kind": "low-rank", "rank": 64},
        "linear head": {"kind": "linear"},
        "MLP head": {"kind": "mlp", "rank": 256},
    }
    for name, settings in list(kinds.items())[: level - 2]:
        found.append(
            SentenceCandidate(name, ContrastiveHead(batch_size=1024, margin=_MARGIN, penalty=_PENALTY, **settings))
        )
    return found, ""


class _Centred:
    """Centring of pooled domains, as the aligner of translations that the other candidates start from."""

    def fit(self, parallel: ParallelVectors) -> "_Centred":
        self.space_ = Consensus(turn="none", shrinkage=None).fit(parallel).space_
        return self


def _level(n_pairs: int, capacity: Capacity) -> int:
    """Return 0 for centring, 1 rotation, 2 closed forms, 3 low-rank, 4 linear, 5 MLP."""
    if capacity != "auto":
        return {"centring": 0, "closed-form": 2, "low-rank": 3, "linear": 4, "mlp": 5}[capacity]
    return 1 if n_pairs < _FEW else 2 if n_pairs <= _SOME else 4 if n_pairs <= _MANY else 5


def _configure(candidate: SentenceCandidate, *, callback: Callback | None, **settings: Any) -> None:
    if isinstance(candidate.aligner, ContrastiveHead):
        for name, value in settings.items():
            setattr(candidate.aligner, name, value)
        if callback is not None:
            candidate.aligner.callback = lambda entry: callback({"candidate": candidate.name, **entry})


def _fit(candidate: SentenceCandidate, parallel: ParallelVectors, *, trial: bool) -> SharedSpace:
    """Fit; in a trial a head learns from a part of the training pairs how many steps are best, and takes as many later.

    The head must not stop where the held-out part likes it best: it is compared with the others there.
    """
    head = candidate.aligner
    if not isinstance(head, ContrastiveHead):
        return head.fit(parallel).space_  # type: ignore[no-any-return]
    if not trial:
        return head.refit(parallel).space_
    head.held_out = _STOPPED_BY if parallel.split(_STOPPED_BY)[1] else 0.5
    return head.fit(parallel).space_
