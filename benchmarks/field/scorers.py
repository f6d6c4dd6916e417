"""Scores of XTREME and XGLUE, written from what is known of their scripts' definitions; all between 0 and 1."""

import re
import string
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import groupby

import numpy as np

from interlingua.align.arrays import require

_ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": r"\sال^|ال",
}
_HAN_OR_TOKEN = re.compile(r"[一-龥]|[^\s一-龥]+")


def accuracy(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the share of equal labels; also Tatoeba's score, whose labels are row numbers.

    Raises
    ------
    ValueError
        If the lengths differ or nothing is given.
    """
    _check_lengths(gold, predicted)
    return sum(a == b for a, b in zip(gold, predicted)) / len(gold)


def mining_f1(gold: Collection[tuple[str, str]], predicted: Collection[tuple[str, str]]) -> float:
    """Return BUCC's F1 = 2 |G ∩ P| / (|G| + |P|) of exact pairs of identifiers, each counted once."""
    right, found = set(gold), set(predicted)
    return 2 * len(right & found) / (len(right) + len(found)) if right or found else 0.0


def mean_average_precision(
    gold: Mapping[str, Collection[str]], ranked: Mapping[str, Sequence[str]], k: int = 20
) -> float:
    """Return MAP@k: the mean over queries of sum_{r <= k} [hit at r] precision@r / min(|gold|, k).

    A query without a prediction counts 0. With one gold candidate each, as in Mewsli-X, this is MRR@k.

    Raises
    ------
    ValueError
        If there are no queries, one has no gold candidate, or a ranking names a candidate twice.
    """
    if not gold:
        raise ValueError("a mean over queries needs at least one, but the gold file has none")
    values = []
    for query, right in gold.items():
        if not right:
            raise ValueError(f"every query needs a gold candidate, but {query!r} has none; leave it out")
        listed = list(ranked.get(query, ()))[:k]
        if len(set(listed)) < len(listed):
            raise ValueError(f"a ranking names each candidate once, but that of {query!r} repeats one")
        hits = np.array([each in set(right) for each in listed], dtype=float)
        precisions = hits.cumsum() / np.arange(1, len(hits) + 1)
        values.append(float(hits @ precisions) / min(len(set(right)), k))
    return float(np.mean(values))


def normalize_squad(text: str) -> str:
    """Return an answer as SQuAD v1.1 compares it: lower case, no ASCII punctuation, no English article.

    Examples
    --------
    >>> normalize_squad("The  Quick, brown-fox!")
    'quick brownfox'
    """
    bare = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(_ARTICLES["en"], " ", bare).split())


def normalize_mlqa(text: str, language: str) -> str:
    """Return an answer as MLQA compares it: Unicode punctuation, articles of the language, Chinese by character.

    Examples
    --------
    >>> normalize_mlqa("Die Stadt «Köln»", "de"), normalize_mlqa("在 NASA总部", "zh")
    ('stadt köln', '在 nasa 总 部')
    """
    bare = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    if language in _ARTICLES:
        bare = re.sub(_ARTICLES[language], " ", bare)
    return " ".join(_HAN_OR_TOKEN.findall(bare) if language == "zh" else bare.split())


def question_answering(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], normalize: Callable[[str], str] = normalize_squad
) -> tuple[float, float]:
    """Return exact match and token F1, each the best over a question's answers, averaged over questions.

    An unanswered question counts 0.

    References
    ----------
    Rajpurkar et al. 2016, arXiv:1606.05250; Lewis et al. 2020 (MLQA), arXiv:1910.07475.
    """
    if not gold:
        raise ValueError("a mean over questions needs at least one, but the gold file has none")
    exact, overlap = [], []
    for question, answers in gold.items():
        if question not in predicted:
            exact.append(0.0)
            overlap.append(0.0)
            continue
        given = normalize(predicted[question])
        wanted = [normalize(answer) for answer in answers]
        exact.append(float(given in wanted))
        overlap.append(max(_token_f1(given, each) for each in wanted))
    return float(np.mean(exact)), float(np.mean(overlap))


def tag_f1(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Return seqeval's micro F1 over chunks, XTREME's score of PAN-X and UD-POS and XGLUE's of NER."""
    return _seqeval("f1_score", gold, predicted)


def tag_precision(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    """Return seqeval's micro precision over chunks: what XGLUE's script computes for POS under the name accuracy."""
    return _seqeval("precision_score", gold, predicted)


def wpr_ndcg(queries: Sequence[str], grades: Sequence[float], scores: Sequence[float]) -> float:
    """Return the mean nDCG over groups of consecutive equal queries; groups of one are skipped.

    Raises
    ------
    ValueError
        If the lengths differ or no group has two rows.
    """
    _check_lengths(queries, grades)
    _check_lengths(queries, scores)
    ndcg_score = require("sklearn.metrics", extra="bench").ndcg_score
    values = []
    for _, group in groupby(range(len(queries)), key=lambda row: queries[row]):
        rows = list(group)
        if len(rows) > 1:
            values.append(ndcg_score([[float(grades[row]) for row in rows]], [[float(scores[row]) for row in rows]]))
    if not values:
        raise ValueError(f"nDCG needs a query with two rows that follow each other, but {len(queries)} rows have none")
    return float(np.mean(values))


def bleu(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Return lower-cased sacreBLEU of the corpus, divided by 100; XGLUE's score of QG and NTG.

    Of answers of fewer than four tokens, the longest groups that there are count.
    """
    _check_lengths(gold, predicted)
    sacrebleu = require("sacrebleu", extra="bench")
    return (
        float(sacrebleu.corpus_bleu(list(predicted), [list(gold)], lowercase=True, use_effective_order=True).score)
        / 100
    )


def average(scores: Mapping[str, float]) -> float:
    """Return the mean over languages, or over tasks."""
    return float(np.mean(list(scores.values())))


def group_averages(scores: Mapping[str, float], groups: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Return the mean of each group whose tasks are all there.

    Examples
    --------
    >>> group_averages({"xnli": 0.6, "pawsx": 0.5}, {"pair": ("xnli", "pawsx"), "tags": ("panx", "udpos")})
    {'pair': 0.55}
    """
    complete = {name: tasks for name, tasks in groups.items() if all(task in scores for task in tasks)}
    return {name: average({task: scores[task] for task in tasks}) for name, tasks in complete.items()}


def _token_f1(given: str, wanted: str) -> float:
    ours, theirs = given.split(), wanted.split()
    shared = sum((Counter(ours) & Counter(theirs)).values())
    return 2 * shared / (len(ours) + len(theirs)) if shared else 0.0


def _seqeval(name: str, gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> float:
    _check_lengths(gold, predicted)
    for sentence, (wanted, given) in enumerate(zip(gold, predicted), 1):
        if len(wanted) != len(given):
            raise ValueError(f"each token has one tag, but sentence {sentence} has {len(wanted)} and {len(given)} tags")
    metrics = require("seqeval.metrics", extra="bench")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # POS tags have no B- and I-, and a tag may never be predicted
        return float(getattr(metrics, name)([list(each) for each in gold], [list(each) for each in predicted]))


def _is_punctuation(letter: str) -> bool:
    return letter in string.punctuation or unicodedata.category(letter).startswith("P")


def _check_lengths(gold: Sequence[object], predicted: Sequence[object]) -> None:
    if len(gold) != len(predicted) or not gold:
        raise ValueError(
            f"gold and predictions have one entry each per example, but have {len(gold)} and {len(predicted)}"
        )
