"""Sentence retrieval on Tatoeba: top-1 accuracy in both directions, with and without alignment.

    python -m interlingua.benchmarks tatoeba [--encoder NAME] [--save-space FILE]

Baseline: nearest neighbour by cosine of the encoder's vectors (the prompt "query: " on both sides). *Transductive*
methods take each language's mean from the test sentences themselves, as XTREME's ``--use_shift_embeds`` does;
*inductive* ones learn from other texts: means from NTREX-128; consensus maps and contrastive heads from NTREX-128 and
SIB-200 (each sentence in all languages) and the New Testament in English and Swahili. Heads stop by a tenth of these,
held out, and by XCOPA, short sentences in Chinese, Swahili, Turkish and Vietnamese; nothing is fitted or stopped on
Tatoeba. The *automatic choice* is `align_sentences` on the same texts; what it compares, and by what, is printed as
"held-out translations". Penalty and margin of the heads were chosen by domains left out, see `head_settings`.

CSLS and the inverted softmax always measure hubness among the test sentences. CSLS has the neighbourhood of
margin-based mining, k = 4 (Artetxe and Schwenk 2019, doi:10.18653/v1/P19-1309), beside k = 10 of word retrieval.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align import SharedSpace
from interlingua.align.language import Centring
from interlingua.align.sentence import Consensus, ContrastiveHead, ParallelVectors, align_sentences
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.benchmarks.harness.datasets import (
    SIB_CODES,
    TATOEBA_LANGUAGES,
    read_bible,
    read_ntrex,
    read_sib200,
    read_tatoeba,
    read_xcopa_texts,
)
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import Encoder, load_encoder

Vectors = NDArray[np.float32]
Pair = tuple[Vectors, Vectors]
AUTOMATIC = "automatic choice"
#: Method: does it align, with which means, criterion, neighbourhood.
METHODS: dict[str, tuple[str, Any, int]] = {
    "cosine (raw)": ("raw", "nn", 10),
    "centred, transductive": ("transductive", "nn", 10),
    "centred + CSLS k=4, transductive": ("transductive", "csls", 4),
    "centred + CSLS k=10, transductive": ("transductive", "csls", 10),
    "centred + inverted softmax, transductive": ("transductive", "isf", 10),
    "centred + CSLS k=4, inductive": ("inductive", "csls", 4),
    "centred + CSLS k=10, inductive": ("inductive", "csls", 10),
    "consensus, inductive": ("consensus", "nn", 10),
    "consensus + CSLS k=4, inductive": ("consensus", "csls", 4),
    "contrastive head, inductive": ("head", "nn", 10),
    "contrastive head + CSLS k=4, inductive": ("head", "csls", 4),
    "contrastive head + CSLS k=10, inductive": ("head", "csls", 10),
    "contrastive head + inverted softmax, inductive": ("head", "isf", 10),
    "contrastive head a language + CSLS k=4, inductive": ("head a language", "csls", 4),
    "automatic choice + CSLS k=4, inductive": (AUTOMATIC, "csls", 4),
}
#: XCOPA's names of languages.
_XCOPA_CODES = {"cmn": "zh", "swh": "sw", "tur": "tr", "vie": "vi"}


def score_method(
    pairs: dict[str, Pair], space: Callable[[str], SharedSpace | None], criterion: Any, k: int
) -> dict[str, tuple[float, float]]:
    """Return the accuracy of each language to English and back, in percent."""
    scores = {}
    for language, (foreign, english) in pairs.items():
        chosen = space(language)
        if chosen is not None:
            foreign, english = chosen.transform(foreign, language), chosen.transform(english, "eng")
        there, back = parallel_accuracy(foreign, english, criterion=criterion, neighborhood=k)
        scores[language] = (100 * there, 100 * back)
    return scores


def parallel_domains(encoder: Encoder, languages: Sequence[str]) -> ParallelVectors:
    """Return what is learned from: news, encyclopedic sentences, verses; `languages` and English where they have it."""
    named = (*languages, "eng")
    numbered = {
        name: {
            number: text
            for part in ("train", "dev", "test")
            for number, (_, text) in read_sib200(SIB_CODES[name], part).items()
        }
        for name in named
    }
    common = sorted(set.intersection(*(set(each) for each in numbered.values())))
    texts = {
        "NTREX-128": {name: read_ntrex(name) for name in named},
        "SIB-200": {name: [numbered[name][number] for number in common] for name in named},
    }
    if "swh" in languages:
        english, swahili = read_bible()
        texts["New Testament"] = {"eng": english, "swh": swahili}
    return _encoded(encoder, texts)


def validation_domains(encoder: Encoder, languages: Sequence[str]) -> ParallelVectors:
    """Return what heads are stopped by: XCOPA, in those of `languages` that it has."""
    texts = {name: read_xcopa_texts(code) for name, code in _XCOPA_CODES.items() if name in languages}
    return _encoded(encoder, {"XCOPA": texts} if len(texts) > 1 else {})


def run(encoder: Encoder | None = None, save_space: Path | None = None) -> Iterator[Case]:
    """Encode, and score every method on every language; `save_space` gets the space of the contrastive head."""
    encoder = load_encoder() if encoder is None else encoder
    languages = _languages(encoder)
    progress = sys.stderr.isatty()
    with watch() as encoding:
        pairs: dict[str, Pair] = {}
        for language in languages:
            foreign, english = read_tatoeba(language)
            pairs[language] = (encoder.encode(foreign, progress=progress), encoder.encode(english, progress=progress))
        parallel = parallel_domains(encoder, languages)
        validation = validation_domains(encoder, languages)
    inductive = Centring().fit(dict(parallel.domains["NTREX-128"]), encoder=encoder.identity).space_
    transductive = {
        language: Centring().fit({language: foreign, "eng": english}).space_
        for language, (foreign, english) in pairs.items()
    }
    learned: dict[str, SharedSpace] = {}
    seconds: dict[str, float] = {}
    for name, aligner in aligners().items():
        options = {"validation": validation} if isinstance(aligner, ContrastiveHead) and validation else {}
        with watch() as fitting:
            learned[name] = aligner.fit(parallel, encoder=encoder.identity, **options).space_
        seconds[name] = fitting.seconds
    with watch() as fitting:
        learned[AUTOMATIC] = choose(parallel, validation, encoder)
    seconds[AUTOMATIC] = fitting.seconds
    if save_space:
        learned["head"].save(save_space)
    spaces: dict[str, Callable[[str], SharedSpace | None]] = {
        "raw": lambda _: None,
        "transductive": transductive.__getitem__,
        "inductive": lambda _: inductive,
        **{name: partial(_same, space) for name, space in learned.items()},
    }
    for method, (space, criterion, k) in METHODS.items():
        with watch() as scoring:
            scores = score_method(pairs, spaces[space], criterion, k)
        means = np.mean(list(scores.values()), axis=0)
        named = {f"mean of {len(scores)} languages": tuple(means), **scores}
        for language, (there, back) in named.items():
            n = len(pairs[language][0]) if language in pairs else len(pairs)
            each_way = zip(("xx-en top-1 %", "en-xx top-1 %"), zip(*scores.values(), strict=True), strict=True)
            yield Case(task="Tatoeba", data=language, method=method, n=n, seconds=scoring.seconds,
                       figures={"xx-en top-1 %": there, "en-xx top-1 %": back},
                       items=None if language in pairs else dict(each_way))  # fmt: skip
    yield from _candidates(learned[AUTOMATIC], seconds[AUTOMATIC])
    n_sentences = sum(size * len(parallel.domains[name]) for name, size in parallel.sizes.items())
    timed = {
        f"{encoder.identity}, {_number_type(encoder)}": ("encoding seconds (0 when cached)", encoding.seconds),
        **{name: ("fitting seconds", value) for name, value in seconds.items()},
    }
    for method, (metric, value) in timed.items():
        n = n_sentences + (sum(2 * len(each[0]) for each in pairs.values()) if metric.startswith("encoding") else 0)
        yield Case(task="Tatoeba", data="all sentences", method=method, figures={metric: value}, n=n, seconds=value)


def choose(parallel: ParallelVectors, validation: ParallelVectors, encoder: Encoder) -> SharedSpace:
    """Return what `align_sentences` makes of the translations, English being what all languages are asked for."""
    return align_sentences(parallel, validation=validation or None, pivot="eng", encoder=encoder.identity)


def aligners() -> dict[str, Any]:
    """Return what is learned inductively: the names are those of `METHODS`."""
    head = partial(ContrastiveHead, batch_size=1024, margin=0.3, penalty=0.03, n_seeds=3)
    return {"consensus": Consensus(), "head": head(), "head a language": head(per_language=True, n_seeds=1)}


def _candidates(space: SharedSpace, seconds: float) -> Iterator[Case]:
    """Give what each candidate of the automatic choice scored on translations that it was not fitted on."""
    chosen = space.provenance["chosen"]["candidate"]
    for each in space.provenance["candidates"]:
        name = each["candidate"]
        yield Case(
            task="held-out translations",
            data="NTREX-128, SIB-200, New Testament, XCOPA",
            method=f"{name} (chosen)" if name == chosen else name,
            figures={"top-1 %": 100 * each["accuracy"], "surprisal, nats": each["surprisal"]},
            n=space.provenance["pairs"],
            seconds=seconds,
        )


def _languages(encoder: Encoder) -> tuple[str, ...]:
    """Return Tatoeba's languages, without those that the encoder was never taught."""
    from interlingua.pipelines.encoders.use import USE_LANGUAGES

    taught = USE_LANGUAGES if encoder.identity.startswith("use-multilingual") else TATOEBA_LANGUAGES
    return tuple(name for name in TATOEBA_LANGUAGES if name in taught)


def _encoded(encoder: Encoder, texts: dict[str, dict[str, list[str]]]) -> ParallelVectors:
    progress = sys.stderr.isatty()
    vectors = {
        domain: {name: encoder.encode(each, progress=progress) for name, each in languages.items()}
        for domain, languages in texts.items()
    }
    return ParallelVectors.of(vectors) if vectors else ParallelVectors({})


def _same(space: SharedSpace, _: str) -> SharedSpace:
    return space


def _number_type(encoder: Any) -> str:
    """Return what the encoder computes in: bfloat16 moves a vector by a cosine of about 1e-4."""
    return str(getattr(getattr(encoder, "encoder", encoder), "dtype", "float32"))
