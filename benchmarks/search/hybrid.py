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
from dataclasses import dataclass, replace
from functools import cached_property, partial
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
from interlingua.pipelines.search.reranking import RERANKED, TokenReranker, reranked
from interlingua.pipelines.search.windows import said_in

from .dial import LANGUAGES, Places, Pool, read_packages

_K, _WIDE, _RRF = 10, 100, 60
_TURNS, _WORDS, _EVERY = 30, 20, 3
_BY_LANGUAGE = ("one by one, --hybrid off", "one by one", "one by one, lexicon", "words alone")
_NAME = re.compile(r"\b(?:\w*\d\w*|\w+[A-Z]\w*)\b")
_LATIN = re.compile(r"[A-Za-z]{2,}")
_OTHER_SCRIPTS = ("ja", "ru", "zh_CN")
_DATA = "Debian's descriptions"


def run(encoder: Encoder | None = None, only: str = "") -> Iterator[Case]:
    """Ask all titles in each way, or in those that `only` names, or has a part of the names of; ; between several."""
    pool = read_packages()
    asked_in = np.array([name for name, _ in pool.asked])
    ways = Ways.of(pool, load_encoder() if encoder is None else encoder).named()
    for method, find in ways.items():
        if not any(each == method or (each not in ways and each in method) for each in only.split(";")):
            continue
        found = find()
        known = np.arange(0, len(asked_in), _EVERY if len(found) < len(asked_in) else 1)
        figures = scores(_part(pool, known), found)
        yield Case(task="words beside vectors", data=_DATA, method=method, figures=figures, n=len(known))
        for name in LANGUAGES if method in _BY_LANGUAGE else ():
            mine = np.flatnonzero(asked_in == name)
            figures = scores(_part(pool, mine), found[mine])
            kept = {each: figures[each] for each in ("across", "home")}
            yield Case(task="words by language of the question", data=name, method=method, figures=kept, n=len(mine))


@dataclass(frozen=True)
class Ways:
    """Ways to find the texts, the places (q, 10) of which they give, -1 for none.

    Attributes
    ----------
    pool : Pool
    encoder : Encoder
    raw : (q, d) array
        Vectors of the titles, as the encoder gives them.
    search : CrossLingualSearch
    """

    pool: Pool
    encoder: Encoder
    raw: NDArray[np.float32]
    search: CrossLingualSearch

    @classmethod
    def of(cls, pool: Pool, encoder: Encoder) -> "Ways":
        """Build the search of a pool."""
        raw = encoder.encode([text for _, text in pool.asked], role="query")
        return cls(pool, encoder, raw, CrossLingualSearch.build(_passages(pool), encoder))

    def named(self) -> dict[str, Callable[[], Places]]:
        """Return each way by its name."""
        alone, learned = self.search.question_space, partial(_learned, self.search.question_space, self.pool)
        together = partial(centre_on_questions, alone, self.raw, self.asked_in) if alone is not None else lambda: None
        return {
            "raw cosine": lambda: _best(self._plain, _K),
            "one by one, --hybrid off": lambda: self._asked(alone, hybrid="off"),
            "one by one": lambda: self._asked(alone),
            "one by one, lexicon": lambda: self._asked(alone, search=self._translated),
            "one by one, 100 other titles": lambda: self._asked(learned(self.encoder)),
            "one by one, --rerank, every third title": lambda: self._reranked(alone),
            "one by one, every third title": lambda: self._asked(alone)[::_EVERY],
            "in one call, --hybrid off": lambda: self._asked(together(), hybrid="off"),
            "in one call": lambda: self._asked(together()),
            "in one call, lexicon": lambda: self._asked(together(), search=self._translated),
            "words alone": lambda: _by_words(self.search, self.titles, self.asked_in),
            "BM25 of all languages together": lambda: self._bm25[:, :_K],
            "RRF of raw cosine and BM25": lambda: _fused(_best(self._plain, _WIDE), self._bm25, len(self.pool.texts)),
            "RRF of centred vectors and BM25": lambda: _fused(
                self._asked(alone, k=_WIDE, hybrid="off", prefer=1.0), self._bm25, len(self.pool.texts)
            ),
        }

    @cached_property
    def asked_in(self) -> list[str]:
        """The languages of the titles."""
        return [name for name, _ in self.pool.asked]

    @cached_property
    def titles(self) -> list[str]:
        """What is asked."""
        return [text for _, text in self.pool.asked]

    @cached_property
    def _plain(self) -> NDArray[np.float32]:
        texts = self.encoder.encode([text for _, text in self.pool.texts], role="passage")
        return np.asarray(self.raw @ texts.T)

    @cached_property
    def _translated(self) -> CrossLingualSearch:
        return CrossLingualSearch.build(_passages(self.pool), self.encoder, lexicon=self.pool.titles)

    @cached_property
    def _bm25(self) -> Places:
        one_list = LanguageTexts.of(range(len(self.pool.texts)), [pieces(text) for _, text in self.pool.texts])
        asked = [dict.fromkeys(pieces(title), 1.0) for title in self.titles]
        return _best(np.stack([one_list.scores(each) for each in asked]), _WIDE)

    def _asked(
        self, space: SharedSpace | None, *, search: CrossLingualSearch | None = None, k: int = _K, **options: Any
    ) -> Places:
        vectors = map_by_language(space, self.raw, self.asked_in)
        found = (search or self.search).search_vectors(vectors, k, asked_in=self.asked_in, texts=self.titles, **options)
        return _places(found)

    def _reranked(self, space: SharedSpace | None) -> Places:
        """Return what every third title finds, ranked anew by tokens."""
        part = slice(None, None, _EVERY)
        vectors = map_by_language(space, self.raw, self.asked_in)[part]
        asked: dict[str, Any] = {"asked_in": self.asked_in[part], "texts": self.titles[part]}
        found = self.search.search_vectors(vectors, RERANKED, **asked)
        anew = TokenReranker(self.encoder, self.search.space, space, keep=len(self.pool.texts))
        return _places([hits[:_K] for hits in reranked(anew, asked["texts"], asked["asked_in"], found)])


def _passages(pool: Pool) -> list[Passage]:
    return [Passage(str(place), text, name) for place, (name, text) in enumerate(pool.texts)]


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
