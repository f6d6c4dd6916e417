"""Sentiment of hotel reviews, learned in English on frozen vectors, in Spanish.

    python -m interlingua.benchmarks.sentences.blse

OpeNER sentences in the split of Barnes, Klinger and Schulte im Walde 2018 (doi:10.18653/v1/P18-1231): two classes
(strong and weak together, mixed ones left out, as there) and four (strong positive, positive, negative, strong
negative). Means of *centring* come from the training sentences of each language, whose labels are not seen in Spanish.
The floor is the most frequent class of the English training sentences.
"""

import sys
from collections import Counter
from typing import Any

import numpy as np

from interlingua.align import Centring
from interlingua.benchmarks.harness.datasets import data_folder, read_lines
from interlingua.benchmarks.harness.measure import peak_mb, run_benchmark, watch
from interlingua.benchmarks.harness.report import row
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.classify.vectors import VectorClassifier
from interlingua.pipelines.train.scores import accuracy, label_f1

COMMAND = "python -m interlingua.benchmarks.sentences.blse"
_BINARY = {"strpos": "positive", "pos": "positive", "neg": "negative", "strneg": "negative"}


def read_opener(language: str, part: str, *, binary: bool) -> tuple[list[str], list[str]]:
    """Return sentences of OpeNER and their classes, of ``en`` or ``es``, of ``train``, ``dev`` or ``test``."""
    folder = data_folder("blse-opener") / "datasets" / language / "opener_sents" / part
    rows = [
        (text, _BINARY[name] if binary else name)
        for name in _BINARY
        for text in read_lines(folder / f"{name}.txt")
        if text.strip()
    ]
    return [text for text, _ in rows], [label for _, label in rows]


def run(encoder: Encoder | None = None) -> list[dict[str, Any]]:
    """Encode, train, and return the result rows."""
    encoder = load_encoder() if encoder is None else encoder
    rows: list[dict[str, Any]] = []
    for binary in (True, False):
        parts = {
            (language, part): read_opener(language, part, binary=binary)
            for language in ("en", "es")
            for part in ("train", "test")
        }
        vectors = {name: encoder.encode(texts) for name, (texts, _) in parts.items()}
        centring = Centring().fit({name: vectors[name, "train"] for name in ("en", "es")}).space_
        learned = parts["en", "train"][1]
        most = Counter(learned).most_common(1)[0][0]
        for method in ("raw", "centring", "floor: most frequent class"):
            with watch() as working:
                if method == "centring":
                    vectors = {(name, part): centring.transform(each, name) for (name, part), each in vectors.items()}
                head = None
                if not method.startswith("floor"):
                    head = VectorClassifier("logistic").fit(vectors["en", "train"], np.array(learned))
                for language in ("en", "es"):
                    gold = parts[language, "test"][1]
                    said = [most] * len(gold) if head is None else head.predict(vectors[language, "test"]).tolist()
                    rows += [
                        row(task="sentiment, from English", method=method, metric=metric, value=value, n=len(gold),
                            data=f"OpeNER, {2 if binary else 4} classes, {language}", command=COMMAND,
                            seconds=working.seconds, peak_mb=peak_mb())
                        for metric, value in (("accuracy", accuracy(gold, said)), ("macro F1", label_f1(gold, said)))
                    ]  # fmt: skip
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Run the command in the module's docstring."""
    return run_benchmark("blse", run, arguments)


if __name__ == "__main__":
    sys.exit(main())
