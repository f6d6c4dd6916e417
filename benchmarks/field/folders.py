"""Tatoeba, XQuAD-R and SIB-200 from a folder in their official layout: any languages, any encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align import SharedSpace
from interlingua.align.language import Centring
from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.benchmarks.harness.datasets import read_answer_set, read_lines, read_parallel
from interlingua.benchmarks.sentences.xquad_r import Pool, rank_metrics, score_pool
from interlingua.pipelines import Encoder

from .frozen import FrozenVectors, name_in_space
from .tasks import MissingDataError

#: What lies where: files, source, licence.
SETS = {
    "tatoeba": ("tatoeba.{language}-eng.{language} and .eng",
                "https://github.com/facebookresearch/LASER (data/tatoeba/v1)", "CC BY 2.0 FR"),
    "xquad-r": ("{language}.json", "https://github.com/google-research-datasets/lareqa (xquad-r)", "CC BY-SA 4.0"),
    "sib200": ("{language}/train.tsv and test.tsv, eng_Latn among them",
               "https://github.com/dadelani/sib-200 (data/annotated)", "Apache-2.0; texts CC BY-SA 4.0"),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """Scores of a method in one language, or over all."""

    language: str
    method: str
    scores: dict[str, float]


def run_folder(
    name: str, folder: str | Path, encoder: Encoder, space: SharedSpace | None = None, languages: Sequence[str] = ()
) -> list[Row]:
    """Score an encoder, raw and mapped: by a space if one is given, else by centring, beside floors.

    Parameters
    ----------
    name : {"tatoeba", "xquad-r", "sib200"}
    folder : path
    encoder : Encoder
    space : SharedSpace, optional
    languages : sequence of str
        As the files name them; none takes those that are there.

    Raises
    ------
    MissingDataError
        If files are absent; the message says where they come from.
    """
    measure = {"tatoeba": _tatoeba, "xquad-r": _xquad_r, "sib200": _sib200}[name]
    return measure(Path(folder), FrozenVectors(encoder, space), languages)


def _tatoeba(folder: Path, vectors: FrozenVectors, languages: Sequence[str]) -> list[Row]:
    there = [each.name.split(".")[1].removesuffix("-eng") for each in folder.glob("tatoeba.*-eng.eng")]
    rows: list[Row] = []
    for language in _named("tatoeba", folder, sorted(there), languages, "tatoeba.{}-eng.{}"):
        foreign, english = read_parallel(*(folder / f"tatoeba.{language}-eng.{side}" for side in (language, "eng")))
        one, two = vectors.encoder.encode(foreign), vectors.encoder.encode(english)
        mapped, how = _mapped({language: one, "eng": two}, vectors)
        for method, (left, right), criterion in (
            ("raw", (one, two), "nn"),
            (how, mapped.values(), "nn"),
            (f"{how} + CSLS k=4", mapped.values(), "csls"),
        ):
            there_, back = parallel_accuracy(left, right, criterion=criterion, neighborhood=4)  # type: ignore[arg-type]
            rows.append(Row(language, method, {"xx-en": there_, "en-xx": back}))
        rows.append(Row(language, "floor: chance", {"xx-en": 1 / len(one), "en-xx": 1 / len(one)}))
    return rows + _means(rows)


def _xquad_r(folder: Path, vectors: FrozenVectors, languages: Sequence[str]) -> list[Row]:
    names = _named("xquad-r", folder, sorted(each.stem for each in folder.glob("*.json")), languages, "{}.json")
    sets = {name: read_answer_set(folder / f"{name}.json") for name in names}
    ids = sorted(set.intersection(*(set(each.answers) for each in sets.values())))
    pool = Pool(
        {name: vectors.encoder.encode([each.questions[id] for id in ids], role="query") for name, each in sets.items()},
        {name: vectors.encoder.encode(each.sentences, role="passage") for name, each in sets.items()},
        {name: np.array([each.answers[id] for id in ids]) for name, each in sets.items()},
    )
    asked, how = _mapped(pool.questions, vectors)
    mapped = Pool(asked, _mapped(pool.sentences, vectors)[0], pool.answers)
    rows = []
    for method, chosen in (("raw", pool), (how, mapped)):
        for criterion in ("cosine", "CSLS"):
            found = asdict(score_pool(chosen, None, criterion))
            scores = {"mAP@20": found["precision_at_20"], "own language in top 5": found["own_language"]}
            rows.append(Row("all", method if criterion == "cosine" else f"{method} + CSLS", scores))
    count = sum(len(each) for each in pool.sentences.values())
    starts = np.cumsum([0] + [len(each) for each in pool.sentences.values()])[:-1]
    right = np.stack([pool.answers[name] + start for name, start in zip(names, starts)], axis=1)
    drawn = np.random.default_rng(0).random((len(ids), count), dtype=np.float32)
    scores = {"mAP@20": float(rank_metrics(drawn, right)[1].mean()), "own language in top 5": 1 / len(names)}
    return [*rows, Row("all", "floor: random order", scores)]


def _sib200(folder: Path, vectors: FrozenVectors, languages: Sequence[str]) -> list[Row]:
    from interlingua.pipelines.classify.vectors import VectorClassifier

    there = sorted(each.parent.name for each in folder.glob("*/test.tsv"))
    names = _named("sib200", folder, there, [*languages, "eng_Latn"] if languages else (), "{}/test.tsv")
    _named("sib200", folder, there, ["eng_Latn"], "{}/train.tsv")
    train, test = ({name: _topics(folder / name / f"{part}.tsv") for name in names} for part in ("train", "test"))
    known = {name: vectors.encoder.encode([text for _, text in each]) for name, each in train.items()}
    asked = {name: vectors.encoder.encode([text for _, text in each]) for name, each in test.items()}
    learned = np.array([topic for topic, _ in train["eng_Latn"]])
    if vectors.space is None:
        space, how = Centring().fit(known).space_, "centred"
        mapped = [{name: space.transform(each, name) for name, each in part.items()} for part in (known, asked)]
    else:
        mapped, how = [_mapped(part, vectors)[0] for part in (known, asked)], "space"
    rows = []
    most = max(set(learned.tolist()), key=learned.tolist().count)
    for method, (one, two) in (("raw", (known, asked)), (how, mapped)):
        head = VectorClassifier("logistic", calibrate=False).fit(one["eng_Latn"], learned)
        for name in names:
            gold = np.array([topic for topic, _ in test[name]])
            rows.append(Row(name, method, {"accuracy": float((head.predict(two[name]) == gold).mean())}))
            if method == "raw":
                rows.append(Row(name, "floor: majority", {"accuracy": float((gold == most).mean())}))
    return rows + _means([each for each in rows if each.language != "eng_Latn"])


def _mapped(texts: dict[str, Any], vectors: FrozenVectors) -> tuple[dict[str, Any], str]:
    space = vectors.space
    if space is None:
        centring = Centring().fit(texts).space_
        return {name: centring.transform(each, name) for name, each in texts.items()}, "centred (transductive)"
    return {name: space.transform(each, name_in_space(space, name)) for name, each in texts.items()}, "space"


def _topics(path: Path) -> list[tuple[str, str]]:
    rows = [line.split("\t") for line in read_lines(path)[1:] if line.strip()]
    return [(row[1], row[2]) for row in rows]


def _named(name: str, folder: Path, there: list[str], wanted: Sequence[str], pattern: str) -> list[str]:
    """Return the languages to measure, of which all are there."""
    files, source, licence = SETS[name]
    missing = [each for each in wanted if each not in there]
    if missing or not there:
        what = ", ".join(pattern.format(each, each) for each in missing) or files
        raise MissingDataError(
            f"{name} needs {what} in {folder}, which is not there; its files are {files}; the data come from {source} "
            f"(licence: {licence})"
        )
    return list(dict.fromkeys(wanted)) or there


def _means(rows: Sequence[Row]) -> list[Row]:
    found = []
    for method in dict.fromkeys(each.method for each in rows):
        scores = [each.scores for each in rows if each.method == method]
        mean = {metric: float(np.mean([each[metric] for each in scores])) for metric in scores[0]}
        found.append(Row(f"mean of {len(scores)}", method, mean))
    return found
