"""Parts of speech, learned in English on frozen vectors, in German, French, Spanish and Russian.

    python -m interlingua.benchmarks pos_pud

Parallel Universal Dependencies (Zeman et al. 2017, doi:10.18653/v1/K17-3001): the same 1,000 sentences in each of them.
Its documents are drawn into 60 % to learn from (in English), 10 % to choose the encoder's layer by (in English) and
30 % to test on; no test sentence is a translation of one learned from. The tagger is a logistic regression on a word's
mean token vector. *Centred* takes from each language's vectors their mean over its sentences of the first part, whose
tags are not seen. Floors: the most frequent tag, and the most frequent tag of the same form in English.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.field.frozen import depth, word_vectors
from interlingua.benchmarks.field.heads import WordClassifier
from interlingua.benchmarks.harness.datasets import data_folder
from interlingua.benchmarks.harness.measure import Case, watch
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.texts.labelled import LabelledWords, read_conll
from interlingua.pipelines.train.scores import accuracy, label_f1

LANGUAGES = ("en", "de", "fr", "es", "ru")
Vectors = list[NDArray[np.float32]]


def run(encoder: Encoder | None = None) -> Iterator[Case]:
    """Encode, choose a layer, and tag every language."""
    encoder = load_encoder() if encoder is None else encoder
    folder = data_folder("ud-pud")
    sentences = {name: read_conll(folder / f"{name}_pud-ud-test.conllu", name) for name in LANGUAGES}
    train, dev, test = split_documents((folder / "en_pud-ud-test.conllu").read_text(encoding="utf-8"))
    layers = sorted({round(share * depth(encoder)) for share in (0, 1 / 3, 1 / 2, 2 / 3, 5 / 6, 1)})
    with watch() as encoding:
        found = {name: word_vectors(encoder, each.texts, layers=layers) for name, each in sentences.items()}
    english = sentences["en"]
    by_layer: dict[int, float] = {}
    for number, layer in enumerate(layers):
        own = _layer(found["en"], number, len(layers))
        tagger = WordClassifier().fit([own[i] for i in train], [english.labels[i] for i in train])
        by_layer[layer] = _scores(english, dev, tagger.predict([own[i] for i in dev]))["accuracy"]
    best = max(by_layer, key=lambda each: by_layer[each])
    for layer, name in {layers[-1]: "last layer", best: f"layer {best} of {layers[-1]}, chosen"}.items():
        chosen = {each: _layer(vectors, layers.index(layer), len(layers)) for each, vectors in found.items()}
        for centred in (False, True):
            with watch() as working:
                scores = _transfer(sentences, chosen, train, test, centred=centred)
            method = f"{name}, centred" if centred else name
            yield from _cases(method, scores, sentences, test, working.seconds)
    yield from _cases("floor: most frequent tag", _constant(sentences, train, test), sentences, test, 0.0)
    yield from _cases("floor: tag of the English form", _forms(sentences, train, test), sentences, test, 0.0)
    for layer, value in by_layer.items():
        yield Case(task="parts of speech, choice of the layer", data="UD PUD, English, held out",
                   method=f"layer {layer}", figures={"accuracy": value}, n=sum(len(english.texts[i]) for i in dev),
                   seconds=encoding.seconds / len(layers))  # fmt: skip


def split_documents(text: str, *, seed: int = 0) -> tuple[list[int], list[int], list[int]]:
    r"""Return rows of sentences to learn from, to choose by and to test on: 60, 10 and 30 % of the documents.

    Examples
    --------
    >>> text = "".join(f"# sent_id = n0{n // 2:02}01{n % 2}\n" for n in range(20))
    >>> [len(each) for each in split_documents(text)]
    [12, 2, 6]
    """
    ids = [line.partition("=")[2].strip() for line in text.splitlines() if line.startswith("# sent_id")]
    documents = [each[:-3] for each in ids]
    named = sorted(set(documents))
    order = np.random.default_rng(seed).permutation(len(named))
    place = {named[document]: rank / len(named) for rank, document in enumerate(order)}
    parts: tuple[list[int], list[int], list[int]] = ([], [], [])
    for number, document in enumerate(documents):
        parts[int(place[document] >= 0.6) + int(place[document] >= 0.7)].append(number)
    return parts


def _transfer(
    sentences: dict[str, LabelledWords],
    vectors: dict[str, Vectors],
    train: list[int],
    test: list[int],
    *,
    centred: bool,
) -> dict[str, dict[str, float]]:
    means: dict[str, Any] = {
        name: np.concatenate([each[i] for i in train]).mean(axis=0) if centred else 0.0
        for name, each in vectors.items()
    }
    english = [vectors["en"][i] - means["en"] for i in train]
    tagger = WordClassifier().fit(english, [sentences["en"].labels[i] for i in train])
    return {
        name: _scores(each, test, tagger.predict([vectors[name][i] - means[name] for i in test]))
        for name, each in sentences.items()
    }


def _constant(sentences: dict[str, LabelledWords], train: list[int], test: list[int]) -> dict[str, dict[str, float]]:
    tag = Counter(tag for i in train for tag in sentences["en"].labels[i]).most_common(1)[0][0]
    return {name: _scores(each, test, [[tag] * len(each.texts[i]) for i in test]) for name, each in sentences.items()}


def _forms(sentences: dict[str, LabelledWords], train: list[int], test: list[int]) -> dict[str, dict[str, float]]:
    counts: dict[str, Counter[str]] = {}
    for i in train:
        for word, tag in zip(sentences["en"].texts[i], sentences["en"].labels[i]):
            counts.setdefault(word.lower(), Counter())[tag] += 1
    known = {word: each.most_common(1)[0][0] for word, each in counts.items()}
    return {
        name: _scores(each, test, [[known.get(word.lower(), "NOUN") for word in each.texts[i]] for i in test])
        for name, each in sentences.items()
    }


def _scores(sentences: LabelledWords, test: list[int], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    gold = [tag for i in test for tag in sentences.labels[i]]
    said = [tag for each in predicted for tag in each]
    return {"accuracy": accuracy(gold, said), "macro F1": label_f1(gold, said)}


def _cases(
    method: str,
    scores: dict[str, dict[str, float]],
    sentences: dict[str, LabelledWords],
    test: list[int],
    seconds: float,
) -> Iterator[Case]:
    others = [name for name in scores if name != "en"]
    named = dict(scores)
    named["mean of " + " ".join(others)] = {
        metric: float(np.mean([scores[name][metric] for name in others])) for metric in ("accuracy", "macro F1")
    }
    sizes = {name: sum(len(sentences[name].texts[i]) for i in test) for name in scores}
    for name, each in named.items():
        yield Case(task="parts of speech, from English", data=f"UD PUD, {name}", method=method, figures=each,
                   n=sizes.get(name, sum(sizes[other] for other in others)), seconds=seconds)  # fmt: skip


def _layer(vectors: Vectors, number: int, count: int) -> Vectors:
    width = vectors[0].shape[1] // count
    return [each[:, number * width : (number + 1) * width] for each in vectors]
