"""Three languages in one space from two dictionaries: Russian to French without a Russian-French pair.

    python -m interlingua.benchmarks multilingual

English (20,000 words), French and Russian; dictionaries en-fr and en-ru of xling-eval, 5k. There is no Russian-French
dictionary: its train and test pairs are composed through English, and test words that the composed train pairs hold
are left out. *Direct* is trained on the composed train pairs.
"""

from collections.abc import Callable, Iterator
from typing import Any

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.word import GeneralizedProcrustes, MultiStep, PivotHub, Procrustes, score_dictionary
from interlingua.benchmarks.harness.datasets import read_lexicon, read_vectors
from interlingua.benchmarks.harness.measure import Case, watch


def compose(first: SeedDictionary, second: SeedDictionary) -> SeedDictionary:
    """Return the pairs (b, c) for which some a has (a, b) in the first and (a, c) in the second.

    Examples
    --------
    >>> compose(SeedDictionary((("sun", "солнце"),)), SeedDictionary((("sun", "soleil"), ("moon", "lune")))).pairs
    (('солнце', 'soleil'),)
    """
    right = second.by_source
    return SeedDictionary(tuple((b, c) for a, b in first.pairs for c in right.get(a, ())))


def run() -> Iterator[Case]:
    """Fit each method, and score Russian to French."""
    english, french, russian = (read_vectors(name) for name in ("en", "fr", "ru"))
    vocabularies = {each.space: each for each in (english, french, russian)}
    to_english = {name: read_lexicon(f"en-{name}", "5k") for name in ("fr", "ru")}
    train = compose(to_english["ru"], to_english["fr"])
    composed = compose(read_lexicon("en-ru", "test"), read_lexicon("en-fr", "test"))
    test = SeedDictionary(tuple(pair for pair in composed.pairs if pair[0] not in train.by_source))
    vectors = {name: each.vectors for name, each in vocabularies.items()}
    pairs = {name: each.index_pairs(english, vocabularies[name])[0] for name, each in to_english.items()}
    direct, _ = train.index_pairs(russian, french)
    methods: dict[str, Callable[[], SharedSpace]] = {
        "direct, Procrustes": lambda: _direct(Procrustes(), russian, french, direct),
        "hub through English, Procrustes": lambda: PivotHub(pivot="en").fit(vectors, pairs).space_,
        "generalised Procrustes": lambda: (
            GeneralizedProcrustes().fit(vectors, {("en", name): rows for name, rows in pairs.items()}).space_
        ),
        "direct, multi-step": lambda: _direct(MultiStep(), russian, french, direct),
        "hub through English, multi-step": lambda: PivotHub(pivot="en", aligner=MultiStep()).fit(vectors, pairs).space_,
    }
    for method, fit in methods.items():
        with watch() as fitting:
            space = fit()
        score = score_dictionary(space, russian, french, test)
        yield Case(task="lexicon induction through a hub", data="ru-fr", method=method,
                   figures={"P@1 % (CSLS)": 100 * score.precision_at_1}, n=score.n_words,
                   seconds=fitting.seconds)  # fmt: skip


def _direct(aligner: Any, source: Embeddings, target: Embeddings, pairs: Any) -> SharedSpace:
    space: SharedSpace = aligner.fit(source.vectors, target.vectors, pairs, names=(source.space, target.space)).space_
    return space
