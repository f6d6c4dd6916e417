"""What words add to vectors, where each text is there in one language, and what a question costs among many.

    python -m interlingua.benchmarks hybrid
    python -m interlingua.benchmarks hybrid_latency

The pool, the questions, *across* and *home* are those of `dial`. *MRR home* is the mean reciprocal rank, in the first
ten, of the texts that titles in their own language ask for; *names* of those whose title has a name: a word with a
digit, with a capital behind its first letter, or in Latin letters in a title of another script. Titles of the 750
packages that are not asked for teach the lexicon, or, a hundred of them, where questions lie. Reciprocal rank fusion
adds 1 / (60 + rank) in a list by vectors and in one by BM25 of all languages together, a hundred texts of each.

Latency: CPU milliseconds of a question, the median of thirty, one thread. The vectors are drawn, and the texts have
twenty words each, drawn from the descriptions in nine languages. Encoding is a title by the bundled encoder.
"""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.arrays import unit_rows
from interlingua.benchmarks.harness.datasets import read_ddtp
from interlingua.benchmarks.harness.measure import Case
from interlingua.index.engines.scan import load_faiss
from interlingua.pipelines import CrossLingualSearch, Encoder, Passage, load_encoder
from interlingua.pipelines.search.languages import map_by_language
from interlingua.pipelines.search.lexical.bm25 import LanguageTexts
from interlingua.pipelines.search.lexical.fusion import Hybrid
from interlingua.pipelines.search.lexical.words import pieces
from interlingua.pipelines.search.questions import centre_on_questions
from interlingua.pipelines.search.windows import said_in

from .dial import LANGUAGES, Places, Pool, read_packages

_K, _WIDE, _RRF = 10, 100, 60
_TURNS, _WORDS = 30, 20
_NAME = re.compile(r"\b(?:\w*\d\w*|\w+[A-Z]\w*)\b")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_OTHER_SCRIPTS = ("ja", "ru", "zh_CN")
_DATA = "Debian's descriptions"


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Ask all titles in each way."""
    encoder = load_encoder() if encoder is None else encoder
    pool = read_packages()
    found = dict(ways(pool, encoder))
    for method, places in found.items():
        yield Case(
            task="words beside vectors", data=_DATA, method=method, figures=scores(pool, places), n=len(pool.asked)
        )
    asked_in = np.array([name for name, _ in pool.asked])
    for name in LANGUAGES:
        mine = np.flatnonzero(asked_in == name)
        for method in ("one by one, --hybrid off", "one by one", "one by one, lexicon", "words alone"):
            figures = scores(_part(pool, mine), found[method][mine])
            kept = {each: figures[each] for each in ("across", "home")}
            yield Case(task="words by language of the question", data=name, method=method, figures=kept, n=len(mine))


def ways(pool: Pool, encoder: Encoder) -> Iterator[tuple[str, Places]]:
    """Yield the name of each way and the places (q, 10) of what it finds, -1 for none."""
    asked_in, titles = [name for name, _ in pool.asked], [text for _, text in pool.asked]
    raw = encoder.encode(titles, role="query")
    plain = raw @ encoder.encode([text for _, text in pool.texts], role="passage").T
    yield "raw cosine", _best(plain, _K)
    passages = [Passage(str(place), text, name) for place, (name, text) in enumerate(pool.texts)]
    search = CrossLingualSearch.build(passages, encoder)
    translated = CrossLingualSearch.build(passages, encoder, lexicon=pool.titles)
    alone = search.question_space
    search.learn_questions(titles)
    for name, space in (("one by one", alone), ("in one call", search.question_space)):
        vectors = map_by_language(space, raw, asked_in)
        asked: dict[str, Any] = {"asked_in": asked_in, "texts": titles}
        yield f"{name}, --hybrid off", _places(search.search_vectors(vectors, _K, hybrid="off", **asked))
        yield name, _places(search.search_vectors(vectors, _K, **asked))
        yield f"{name}, lexicon", _places(translated.search_vectors(vectors, _K, **asked))
    vectors = map_by_language(_learned(alone, pool, encoder), raw, asked_in)
    yield "one by one, 100 other titles", _places(search.search_vectors(vectors, _K, **asked))
    yield "words alone", _by_words(search, titles, asked_in)
    one_list = LanguageTexts.of(range(len(passages)), [pieces(text) for _, text in pool.texts])
    words = _best(np.stack([one_list.scores(dict.fromkeys(pieces(title), 1.0)) for title in titles]), _WIDE)
    yield "BM25 of all languages together", words[:, :_K]
    yield "RRF of raw cosine and BM25", _fused(_best(plain, _WIDE), words, len(passages))
    vectors = map_by_language(alone, raw, asked_in)
    blind = _places(search.search_vectors(vectors, _WIDE, prefer=1.0, asked_in=asked_in))
    yield "RRF of centred vectors and BM25", _fused(blind, words, len(passages))


def scores(pool: Pool, found: Places) -> dict[str, float]:
    """Return the figures of a way."""
    spoken, asked_in = (np.array([name for name, _ in each]) for each in (pool.texts, pool.asked))
    right = np.array(pool.right)[:, 0]
    hit = found == right[:, None]
    own, rank = spoken[right] == asked_in, np.where(hit.any(axis=1), 1 / (1.0 + hit.argmax(axis=1)), 0)
    named = np.array([_has_name(*each) for each in pool.asked], bool)
    return {
        "across": float(hit[~own].any(axis=1).mean()),
        "home": float(hit[own].any(axis=1).mean()),
        "MRR home": float(rank[own].mean()),
        "MRR home, names": float(rank[own & named].mean()) if (own & named).any() else 0.0,
        "own share of top 10": float((spoken[found] == asked_in[:, None])[found >= 0].mean()),
    }


def _has_name(language: str, title: str) -> bool:
    return bool(_NAME.search(title) or (language in _OTHER_SCRIPTS and _LATIN.search(title)))


def _learned(space: SharedSpace | None, pool: Pool, encoder: Encoder) -> SharedSpace | None:
    """Return a question space that knows a hundred titles of other packages, each in one of its languages."""
    rng = np.random.default_rng(0)
    chosen = [pool.titles[place] for place in rng.permutation(len(pool.titles))[:100].tolist()]
    names = [str(rng.choice(list(each))) for each in chosen]
    raw = encoder.encode([each[name] for each, name in zip(chosen, names)], role="query")
    return None if space is None else centre_on_questions(space, raw, names)


def _part(pool: Pool, rows: NDArray[np.int64]) -> Pool:
    places = rows.tolist()
    return replace(pool, asked=[pool.asked[row] for row in places], right=[pool.right[row] for row in places])


def _by_words(search: CrossLingualSearch, titles: Sequence[str], asked_in: Sequence[str]) -> Places:
    """Return the texts that words alone find, through the collection's own index of them."""
    words = search.words
    if words is None:
        raise ValueError("the search has no words")
    words.follow(search.collection, said_in)
    found = np.full((len(titles), _K), -1, np.int64)
    for row, each in enumerate(zip(titles, asked_in)):
        if (known := words.scores(*each)) is not None:
            best = known.best(_K)  # rows are numbered as they came
            found[row, : len(best)] = best
    return found


def _best(similarity: NDArray[Any], width: int) -> Places:
    return np.argsort(-similarity, axis=1, kind="stable")[:, :width]


def _fused(one: Places, other: Places, n: int) -> Places:
    """Return the ten best of two lists by reciprocal rank fusion, for n texts."""
    fused = np.zeros((len(one), n))
    for places in (one, other):
        np.put_along_axis(
            fused,
            places,
            np.take_along_axis(fused, places, axis=1) + 1 / (_RRF + 1 + np.arange(places.shape[1])),
            axis=1,
        )
    return _best(fused, _K)


def _places(found: Sequence[Sequence[Any]]) -> Places:
    return np.array([[int(hit.id) for hit in hits] for hits in found])


class _Drawn:
    """An encoder whose vectors are drawn, so that none of the time is its own."""

    identity, dimension = "drawn", 384

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(0)
        topics = rng.normal(size=(200, self.dimension))
        raw = topics[rng.integers(0, 200, n)] * 0.6 + rng.normal(size=(n, self.dimension))
        self._rows = unit_rows(raw.astype(np.float32))

    def encode(self, texts: Sequence[str], *, role: str = "symmetric", **_: Any) -> NDArray[np.float32]:
        """Return as many of the rows, from the first on."""
        return np.asarray(self._rows[np.arange(len(texts)) % len(self._rows)])


def latency(n: int = 100_000) -> Iterator[Case]:
    """Measure one question among `n` passages."""
    load_faiss().omp_set_num_threads(1)
    rows = {name: read_ddtp(name) for name in LANGUAGES}
    rng, data = np.random.default_rng(0), f"{n} passages, nine languages"
    share, texts = -(-n // len(LANGUAGES)), []
    for name in LANGUAGES:
        said = np.array([word for each in rows[name] for word in each["body"].split()])
        drawn = rng.choice(said, (share, _WORDS))
        texts += [(name, " ".join(each)) for each in drawn.tolist()]
    given = [Passage(str(number), text, name) for number, (name, text) in enumerate(texts[:n])]
    asked = [(name, rows[name][turn]["title"]) for turn in range(_TURNS) for name in (LANGUAGES[turn % 9],)]
    own: Any = load_encoder(cache=False)
    yield _timed(data, "encoding", lambda turn: own.encode([asked[turn][1]], role="query"))
    drawn_vectors: Any = _Drawn(n)
    for kind in ("flat", "hnsw"):
        search = CrossLingualSearch.build(given, drawn_vectors, kind=kind)
        vectors = unit_rows(search.vectors([str(97 * turn) for turn in range(_TURNS)]))
        yield _timed(data, f"{kind}, vectors alone", partial(_ask, search, vectors, asked, "off"))
        yield _timed(data, f"{kind}, vectors and words", partial(_ask, search, vectors, asked, "auto"))


def _ask(
    search: CrossLingualSearch,
    vectors: NDArray[np.floating],
    asked: Sequence[tuple[str, str]],
    hybrid: Hybrid,
    turn: int,
) -> None:
    language, title = asked[turn]
    row = np.asarray(vectors[turn : turn + 1], np.float32)
    search.search_vectors(row, _K, asked_in=[language], texts=[title], hybrid=hybrid)


def _timed(data: str, method: str, call: Callable[[int], object]) -> Case:
    call(0)
    taken = []
    for turn in range(_TURNS):
        start = time.process_time()
        call(turn)
        taken.append(time.process_time() - start)
    figures = {"CPU ms": 1e3 * float(np.median(taken)), "CPU ms, slowest tenth": 1e3 * float(np.quantile(taken, 0.9))}
    return Case(task="one question", data=data, method=method, figures=figures, n=_TURNS)


BENCHMARKS = {"hybrid": run, "hybrid_latency": latency}
