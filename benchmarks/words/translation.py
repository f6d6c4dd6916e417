"""Words in context, a translation memory, and a dictionary grown from mined sentences.

    python -m interlingua.benchmarks translation [--only "context en-fr"] [--keep FOLDER]

The sentences are Tatoeba's, NTREX-128's and SIB-200's translations into English, some 4,000 a language.

*Words in context*: English words, from the 200th most frequent on, that stand once in a sentence; of the ten best
candidates by CSLS (space learned from xling-eval's 5,000 pairs) exactly one stands in the translation, and for the word
at least two different ones do somewhere. 600 such words in sentences, drawn. *Dictionary*: the candidates are the two
or more translations that MUSE's test dictionary gives; before the context, the more frequent one in the sentences is
better (its log frequency over 6.2, the weight that CSLS has in log odds). *Most frequent translation*: what the word's
other sentences have most often, which takes the translations; ties go to CSLS. Examples are the target sentences but
the own one. The context's weights were fitted on the Russian words in sentences, its terms chosen with an eye on all
four languages: French, Spanish and German are a test of the weights, not of the choice of terms.

*Phrases in context*: two neighbouring English words, both from the 200th most frequent on, 1,500 drawn from the same
sentences. Of those for which one of the ten candidates stands in the translation, words side by side: how often it is
the first. Without examples, the words of a made phrase stand alone and keep the order of the source.

*Translation memory*: NTREX-128 in French and English; queries of other languages, each half of the pairs taken away
once. *Nearest other*: Tatoeba's French and English without the pair of the query, the translation found beside the
reference, by chrF (Popović 2015), for 150 queries.

*Growing a dictionary*: 100 or 500 pairs drawn from xling-eval's 5,000, and word pairs counted in sentence pairs that
`mine_bitext` finds in the sentences of both languages, shuffled, at an asked precision of 0.9. P@1 on the test words,
CSLS; *outside*: on those of which the mined lexicon holds no translation. MUSE's own test words cannot be used: there
are no vectors of their languages.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import Embeddings, SeedDictionary, SharedSpace
from interlingua.align.arrays import require
from interlingua.align.space import Normalization, SpaceMap
from interlingua.align.word import align, fit_dictionary, lexicon_report
from interlingua.align.word.evaluation import gold_rows
from interlingua.benchmarks.harness.datasets import (
    SIB_CODES,
    data_folder,
    read_lexicon,
    read_ntrex,
    read_sib200,
    read_tatoeba,
    read_vectors,
)
from interlingua.benchmarks.harness.measure import Case, Watch, cases_to_json, in_pieces
from interlingua.pipelines import TranslationMemory, Translator, extend_dictionary, lexicon_from_bitext, load_encoder
from interlingua.pipelines.encoders.static import WordSegmenter, text_runs
from interlingua.pipelines.mine import mine_bitext
from interlingua.pipelines.texts.pairs import Pair

_CODES = {"fr": "fra", "ru": "rus", "es": "spa", "de": "deu"}
_ASKED, _DRAWN, _PRIOR, _CANDIDATES = 600, 1500, 6.2, 10
_QUERIES = ("deu", "spa", "fin", "tur", "rus", "jpn", "tha", "swh")


def pieces() -> Iterator[tuple[str, Callable[[], Iterator[Case]]]]:
    """Yield what is measured, by name."""
    for pair in ("en-fr", "en-ru"):
        yield f"context {pair}", partial(_induced, pair)
    for pair in ("en-es", "en-de"):
        yield f"context {pair}", partial(_dictionary, pair)
    for pair in ("en-fr", "en-ru"):
        yield f"phrases {pair}", partial(_phrases, pair)
    yield "memory", _memory
    yield "nearest", _nearest
    for pair in ("en-fr", "en-ru"):
        for n in (100, 500):
            yield f"lexicon {pair} {n}", partial(_grown, pair, n)


def run(only: str = "", keep: Path | None = None) -> Iterator[Case]:
    """Measure every piece whose name holds `only`, each in a process of its own; with `keep`, they are kept there."""
    for name, _ in pieces():
        if only in name:
            yield from in_pieces(f"{__name__}:piece", name, keep)


def piece(name: str) -> list[dict[str, Any]]:
    """Measure one piece."""
    return cases_to_json(dict(pieces())[name]())


def sentence_pairs(language: str) -> list[tuple[str, str]]:
    """Return English sentences and their translations."""
    foreign, english = read_tatoeba(language)
    pairs = [*zip(english, foreign), *zip(read_ntrex("eng"), read_ntrex(language))]
    for part in ("train", "dev", "test"):
        left, right = read_sib200("eng_Latn", part), read_sib200(SIB_CODES[language], part)
        pairs += [(left[number][1], right[number][1]) for number in left if number in right]
    return pairs


class _Others(Translator):
    """A translator that leaves one of its examples out."""

    left_out = -1

    def _holding(self, text: str) -> NDArray[np.int64]:
        rows = super()._holding(text)
        return np.asarray(rows[rows != self.left_out], np.int64)


Item = tuple[int, str, str]  # sentence, word, its translation there


def _translators(pair: str) -> tuple[_Others, _Others, list[tuple[str, str]]]:
    """Return a translator without examples, one with, and the sentence pairs."""
    source, target = read_vectors("en"), read_vectors(pair[3:])
    space = fit_dictionary(source, target, read_lexicon(pair, "5k"), method="multi-step", held_out=0.0)
    pairs, encoder = sentence_pairs(_CODES[pair[3:]]), load_encoder()
    plain = _Others(space, source, target, encoder=encoder, n_candidates=_CANDIDATES)
    examples = [each for _, each in pairs]
    return plain, _Others(space, source, target, encoder=encoder, examples=examples, n_candidates=_CANDIDATES), pairs


def _induced(pair: str) -> Iterator[Case]:
    plain, with_examples, pairs = _translators(pair)
    source, target = plain.source, plain.target
    segmenters = WordSegmenter(source.index), WordSegmenter(target.index)
    words = [tuple(list(cut.words(text)) for cut, text in zip(segmenters, each)) for each in pairs]
    asked = sorted({w for own, _ in words for w in own if source.index[w] >= 200 and len(w) > 2 and w.isalpha()})
    candidates = {word: dict(plain.candidates(word, _CANDIDATES).translations) for word in asked}
    items = [each for each in _items(words, candidates) if source.index[each[1]] >= 200]
    yield from _in_context(
        f"{pair}, ten candidates by CSLS", items, candidates, pairs, plain, with_examples, "CSLS alone"
    )


def _dictionary(pair: str) -> Iterator[Case]:
    language = pair[3:]
    path = data_folder("muse-test") / f"{pair}.5000-6500.reassembled.txt"
    known = SeedDictionary.read(path, lowercase=True).by_source
    pairs, encoder = sentence_pairs(_CODES[language]), load_encoder()
    words = [tuple(text_runs(text.lower()) for text in each) for each in pairs]
    counts = Counter(word for _, others in words for word in others)
    candidates = {
        word: {each: float(np.log1p(counts[each])) / _PRIOR for each in found}
        for word, found in known.items()
        if len(found) > 1
    }
    vocabulary = tuple(dict.fromkeys(each for found in candidates.values() for each in found))
    empty = Embeddings(vocabulary, np.ones((len(vocabulary), 1), np.float32), "target")
    unchanged = SpaceMap(Normalization.fit(empty.vectors, "unit"))
    parts = (SharedSpace({"target": unchanged}, method="none"), empty, empty)
    plain = _Others(*parts, encoder=encoder)
    with_examples = _Others(*parts, encoder=encoder, examples=[each for _, each in pairs])
    items = _items(words, candidates)
    name = f"{pair}, translations of the dictionary"
    yield from _in_context(name, items, candidates, pairs, plain, with_examples, "the more frequent word", counts)


def _phrases(pair: str) -> Iterator[Case]:
    plain, with_examples, pairs = _translators(pair)
    ranks, watch = plain.source.index, Watch()
    drawn = sorted(
        {
            (number, f"{one} {two}")
            for number, (text, _) in enumerate(pairs)
            for one, two in pairwise(text_runs(text.lower()))
            if all(word.isalpha() and len(word) > 2 and ranks.get(word, 0) >= 200 for word in (one, two))
        }
    )
    right: dict[str, list[bool]] = defaultdict(list)
    for at in np.random.default_rng(0).permutation(len(drawn))[:_DRAWN]:
        number, phrase = drawn[at]
        with_examples.left_out = number
        there = f" {' '.join(text_runs(pairs[number][1].lower()))} "
        found = {name: way.candidates(phrase, _CANDIDATES).translations
                 for name, way in (("words alone", plain), ("pieces of examples", with_examples))}  # fmt: skip
        stands = {text for each in found.values() for text, _ in each if f" {' '.join(text_runs(text))} " in there}
        right["one of ten"].append(bool(stands))
        if not stands:
            continue
        ranked = {name: [text for text, _ in each] for name, each in found.items()}
        for name, way, given in (
            ("context", plain, found["words alone"]),
            ("context and examples", with_examples, found["pieces of examples"]),
        ):
            texts = [text for text, _ in given]
            fits = np.array([score for _, score in given]) + way._fit(texts, pairs[number][0])
            ranked[name] = [texts[each] for each in np.argsort(-fits, kind="stable")]
        for name, texts in ranked.items():
            right[name].append(texts[0] in stands)
    reached = right.pop("one of ten")
    share = {"one of ten candidates %": 100 * float(np.mean(reached))}
    yield _case("phrases in context", f"{pair}, two words", "any", share, len(reached), watch)
    for name, values in right.items():
        figures = {"accuracy@1 % where one is": 100 * float(np.mean(values))}
        yield _case("phrases in context", f"{pair}, two words", name, figures, len(values), watch)


def _items(words: Sequence[Any], candidates: dict[str, dict[str, float]]) -> list[Item]:
    """Return the words that stand once in a sentence, whose translation has exactly one of their candidates."""
    found = []
    for number, (own, others) in enumerate(words):
        there = set(others)
        for word in sorted(set(own)):
            hits = [each for each in candidates.get(word, ()) if each in there]
            if len(hits) == 1 and own.count(word) == 1:
                found.append((number, word, hits[0]))
    return found


def _in_context(
    data: str,
    items: list[Item],
    candidates: dict[str, dict[str, float]],
    pairs: list[tuple[str, str]],
    plain: _Others,
    with_examples: _Others,
    prior: str,
    counts: Counter[str] | None = None,
) -> Iterator[Case]:
    watch = Watch()
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for _, word, wanted in items:
        used[word][wanted] += 1
    if counts is None:
        items = [each for each in items if len(used[each[1]]) > 1]
    items = [items[at] for at in np.random.default_rng(0).permutation(len(items))[:_ASKED]]
    # all at once, so that they are kept
    load_encoder().encode(sorted({text for _, word, _ in items for text in candidates[word]}))
    right: dict[str, list[bool]] = defaultdict(list)
    for number, word, wanted in items:
        texts = list(candidates[word])
        before = np.array([candidates[word][each] for each in texts])
        if counts is not None:  # the own sentence does not count
            before = np.array([np.log1p(counts[each] - (each == wanted)) / _PRIOR for each in texts])
        others = np.array([used[word][each] - (each == wanted) for each in texts])
        with_examples.left_out = number
        scores = {
            prior: before,
            "most frequent translation": others + 1e-3 * before,
            "context": before + plain._fit(texts, pairs[number][0]),
            "context and examples": before + with_examples._fit(texts, pairs[number][0]),
        }
        for name, fits in scores.items():
            right[name].append(texts[int(fits.argmax())] == wanted)
    for name, values in right.items():
        figures = {"accuracy@1 %": 100 * float(np.mean(values))}
        yield _case("words in context", data, name, figures, len(values), watch)


def _memory() -> Iterator[Case]:
    """Half of the pairs in the memory, all as queries; then the other half."""
    encoder = load_encoder()
    texts = {name: read_ntrex(name) for name in ("fra", "eng", *_QUERIES)}
    pairs = [Pair(*each, "fra", "eng") for each in zip(texts["fra"], texts["eng"])]
    order = np.random.default_rng(0).permutation(len(pairs))
    hit: dict[str, list[tuple[bool, bool, float]]] = defaultdict(list)
    watch = Watch()
    whole = TranslationMemory.build(pairs, encoder)
    recall = {name: _found(whole, texts[name], pairs) for name in _QUERIES}
    for half in (order[: len(order) // 2], order[len(order) // 2 :]):
        memory = TranslationMemory.build([pairs[each] for each in half], encoder)
        held = set(half.tolist())
        for name in _QUERIES:
            for number, found in enumerate(memory.search(texts[name], 1)):
                hit[name].append((number in held, found[0].pair == pairs[number], found[0].confidence))
    for name in _QUERIES:
        there, right, sure = (np.array(each) for each in zip(*hit[name]))
        confident = sure >= 0.9
        figures = {
            "recall@1 %, all pairs": 100 * recall[name],
            "recall@1 %, half of them": 100 * float(right[there].mean()),
            "right % at confidence 0.9": 100 * float(right[confident].mean()),
            "right ones kept %": 100 * float((right & confident).sum() / right.sum()),
            "taken % without a pair": 100 * float(confident[~there].mean()),
        }
        yield _case("translation memory", f"{name} finds fra-eng", "TranslationMemory", figures, len(there), watch)


def _found(memory: TranslationMemory, texts: list[str], pairs: list[Pair]) -> float:
    found = memory.search(texts, 1)
    return float(np.mean([each[0].pair == pair for each, pair in zip(found, pairs)]))


def _nearest() -> Iterator[Case]:
    score = require("sacrebleu", extra="bench").sentence_chrf
    french, english = read_tatoeba("fra")
    pairs = [Pair(*each, "fra", "eng") for each in zip(french, english)]
    memory, watch = TranslationMemory.build(pairs, load_encoder()), Watch()
    asked = np.random.default_rng(0).permutation(len(pairs))[:150].tolist()
    found = memory.search([french[each] for each in asked], 5, language="fra", to="eng")
    chosen: dict[str, list[float]] = defaultdict(list)
    for number, matches in zip(asked, found):
        others = [each for each in range(len(pairs)) if english[each] != english[number] and each != number]
        near = next(each for each in matches if each.pair.target != english[number])
        alike = max(
            others, key=lambda each: SequenceMatcher(None, french[number], french[each], autojunk=False).ratio()
        )
        drawn = others[number % len(others)]
        for name, text in {
            "TranslationMemory": near.translation,
            "most alike in spelling": english[alike],
            "any": english[drawn],
        }.items():
            chosen[name].append(score(text, [english[number]]).score)
    for name, values in chosen.items():
        figures = {"chrF": float(np.mean(values))}
        yield _case("nearest other", "Tatoeba, fra to eng", name, figures, len(values), watch)


def _grown(pair: str, n: int) -> Iterator[Case]:
    language = pair[3:]
    source, target = read_vectors("en"), read_vectors(language)
    pairs, watch = sentence_pairs(_CODES[language]), Watch()
    rng = np.random.default_rng(0)
    sides = [[pairs[at][side] for at in rng.permutation(len(pairs))] for side in (0, 1)]
    mined = mine_bitext(*sides, languages=("en", language), precision=0.9)
    found = lexicon_from_bitext(mined.pairs, source_vocabulary=source.index, target_vocabulary=target.index)
    train = read_lexicon(pair, "5k")
    covered, _ = train.index_pairs(source, target)
    drawn = covered[np.random.default_rng(0).permutation(len(covered))[:n]]
    seed = SeedDictionary(tuple((source.labels[s], target.labels[t]) for s, t in drawn.tolist()))
    judged = [(s, t) for s, t in found.words if s in train.by_source]
    true = set(pairs)
    figures = {
        "sentence pairs": len(mined),
        "of them right %": 100 * float(np.mean([(each.source, each.target) in true for each in mined.pairs])),
        "word pairs": len(found),
        "in the dictionary % (of those it knows)": 100 * float(np.mean([t in train.by_source[s] for s, t in judged])),
    }
    if n == 100:
        yield _case("mined lexicon", pair, "log-likelihood, mutual", figures, len(judged), watch)
    gold = gold_rows(read_lexicon(pair, "test").index_pairs(source, target)[0])
    known = {source.index[s] for s, _ in found.words}
    outside = {asked: rows for asked, rows in gold.items() if asked not in known}
    for given, dictionary in {"seed": seed, "seed and mined lexicon": extend_dictionary(seed, found)}.items():
        for method in ("procrustes", "multi-step", "expansion", "auto"):
            watch = Watch()
            space = align(source, target, dictionary, method=method, on_failure="ignore")
            mapped = [space.transform(each.vectors, each.space) for each in (source, target)]
            scores = [lexicon_report(mapped[0], mapped[1], wanted).score for wanted in (gold, outside)]
            figures = {
                "P@1 %": 100 * scores[0].precision_at_1,
                "P@1 % outside": 100 * scores[1].precision_at_1,
                "pairs": len(dictionary),
            }
            yield _case("growing a dictionary", f"{pair}, {n} pairs", f"{given}, {method}", figures, len(gold), watch)


def _case(task: str, data: str, method: str, figures: dict[str, float], n: int, watch: Watch) -> Case:
    return Case(task=task, data=data, method=method, figures=figures, n=n, seconds=watch.seconds)
