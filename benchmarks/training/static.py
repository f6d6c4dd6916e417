"""A table of piece vectors, distilled on some texts and judged on others, beside the encoder and model2vec.

    python -m interlingua.benchmarks static [--model2vec PYTHON] [--folder FOLDER]

Texts to learn from, some 5,000 each of English, German and Chinese: Debian's package descriptions (title and body
together), the sentences of the first half of XQuAD-R's paragraphs, NTREX-128, SIB-200, Tatoeba's Chinese ones. Judged
on what is in none of these: titles of other packages ask for their bodies, in their language and across; questions on
the second half of XQuAD-R ask for the sentence that answers. *Questions by the encoder* is a table whose questions the
encoder reads, *all static* the same table on both sides. Recall at 10 among all held out of the language; speed is
sentences of NTREX-128 in the three languages in a CPU second of one thread, the best of three rounds. What is fixed in
the method (`doubt`, the share of a question's own vector) was chosen on the Chinese tasks; zh is no test of it.

With ``--model2vec``, a Python that has the package model2vec with its extra `distill` distils the same encoder, its
vocabulary cut to the pieces of the same texts, with that package's own settings; it knows no texts.
"""

import json
import shutil
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.datasets import (
    SIB_CODES,
    read_ddtp,
    read_ntrex,
    read_sib200,
    read_tatoeba,
    read_xquad_r,
)
from interlingua.benchmarks.harness.measure import Case
from interlingua.pipelines import Encoder, Passage, load_encoder
from interlingua.pipelines.encoders.bundled.checkpoint import bundled_checkpoint
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.encoders.pieces import MARKER, is_piece_table
from interlingua.pipelines.train.piece_table import recall_at
from interlingua.pipelines.train.static import LanguageRecall, OwnTexts, StaticSettings, train_static

LANGUAGES = {"en": "eng", "de": "deu", "zh": "cmn"}
_ACROSS = (("en", "de"), ("de", "en"), ("en", "zh"), ("zh", "en"))
_HELD_OUT = 35  # of a hundred packages
_ROUNDS = 3
_ASYMMETRIC, _SYMMETRIC = 95.0, 88.0
_FASTEST, _SMALLEST = 20_000, 50.0
_OURS, _THEIRS = "interlingua train static", "model2vec, its own settings"
BY_ENCODER, ALL_STATIC = "questions by the encoder", "all static"

# Runs in an environment of its own: distils a folder, encodes texts, and says how many a CPU second.
_MODEL2VEC = """
import json, sys, time
import numpy as np
from model2vec.distill import distill
folder, texts, out, target = sys.argv[1:]
model = distill(folder, device="cpu")
model.save_pretrained(target)
read = json.load(open(texts))
vectors = {name: model.encode(some, use_multiprocessing=False, normalize=True) for name, some in read.items()}
best = float("inf")
for _ in range(3):
    begun = time.process_time()
    model.encode(read["speed"], use_multiprocessing=False)
    best = min(best, time.process_time() - begun)
np.savez(out, per_second=len(read["speed"]) / best, **vectors)
"""


@dataclass(frozen=True)
class Task:
    """Questions, and the passages that answer them.

    Attributes
    ----------
    name : str
    questions, passages : sequence of str
    answers : array of int
        Row of the passage of each question.
    """

    name: str
    questions: Sequence[str]
    passages: Sequence[str]
    answers: NDArray[np.int64]


def is_held_out(package: str) -> bool:
    """Tell whether a package is for judging, in every language."""
    return zlib.crc32(package.encode()) % 100 < _HELD_OUT


def texts_to_learn() -> list[Passage]:
    """Return the texts that the table is distilled on."""
    found = []
    for language, code in LANGUAGES.items():
        rows = [row for row in _packages(language) if not is_held_out(row["package"])]
        sentences = read_xquad_r(language).sentences
        texts = [*(f"{row['title']}\n{row['body']}" for row in rows), *sentences[: len(sentences) // 2],
                 *read_ntrex(code), *(read_tatoeba(code)[0] if language == "zh" else ()),
                 *(text for part in ("train", "dev", "test")
                   for _, text in read_sib200(SIB_CODES[code], part).values())]  # fmt: skip
        found += [Passage(f"{language}{row}", text, language) for row, text in enumerate(texts) if text.strip()]
    return found


def tasks() -> list[Task]:
    """Return what is judged on."""
    found = []
    held = {name: {row["package"]: row for row in _packages(name) if is_held_out(row["package"])} for name in LANGUAGES}
    for source, target in (*((name, name) for name in LANGUAGES), *_ACROSS):
        place = {package: row for row, package in enumerate(held[target])}
        both = [package for package in held[source] if package in place]
        name = f"title to body, {source}" + ("" if source == target else f" to {target}")
        found.append(Task(name, [held[source][each]["title"] for each in both],
                          [row["body"] for row in held[target].values()],
                          np.array([place[each] for each in both])))  # fmt: skip
    for language in LANGUAGES:
        read = read_xquad_r(language)
        half = len(read.sentences) // 2
        asked = [(key, row - half) for key, row in read.answers.items() if row >= half]
        found.append(Task(f"question to sentence, {language}", [read.questions[key] for key, _ in asked],
                          read.sentences[half:], np.array([row for _, row in asked])))  # fmt: skip
    return found


def run(model2vec: Path | None = None, folder: Path | None = None, encoder: Encoder | None = None) -> Iterator[Case]:
    """Distil, and judge beside the encoder; with `model2vec`, beside that package's table.

    Parameters
    ----------
    model2vec : Path, optional
        A Python that has the package.
    folder : Path, optional
        Keeps both tables, which are not made again where they are; by default in the user's cache.
    encoder : Encoder, optional
        By default the bundled one.
    """
    place = user_cache_folder() / "benchmarks" / "static" if folder is None else folder
    full = encoder or load_encoder()
    texts = OwnTexts.of(texts_to_learn())
    judged = tasks()
    yardstick = {each.name: _recall(each, full, full, "query") for each in judged}
    yield from _cases(judged, "the encoder", yardstick, yardstick)
    if not is_piece_table(place / "table"):
        train_static(full, texts, place / "table", settings=StaticSettings(least=0))
    table = load_encoder(place / "table")
    for method, role in ((BY_ENCODER, "query"), (ALL_STATIC, "symmetric")):
        found = {each.name: _recall(each, table, table, role) for each in judged}
        yield from _cases(judged, method, found, yardstick)
    for name, told in json.loads((place / "table" / MARKER).read_text(encoding="utf-8"))["languages"].items():
        each = LanguageRecall(**told)
        figures = {
            "of the encoder's %": 100 * each.kept("full"),
            "all static, of the encoder's %": 100 * each.kept("static"),
        }
        yield Case(task="static encoder, own judgement", data=f"{name}, {each.texts} texts", method=_OURS,
                   figures=figures, n=each.judged)  # fmt: skip
    yield _cost(_OURS, place / "table", _pace(table.encode, sentences := _sentences()), len(sentences))
    if model2vec is not None:
        yield from _by_model2vec(model2vec, place, texts, judged, yardstick)


def _cost(method: str, folder: Path, pace: float, n: int) -> Case:
    rows = len(json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    figures = {"sentences / CPU-s": pace, "MB": size, "rows": rows}
    return Case(task="static encoder, cost", data="NTREX-128", method=method, figures=figures, n=n)


def _recall(task: Task, asks: Encoder, finds: Encoder, role: Any) -> float:
    questions = asks.encode(task.questions, role=role)
    return recall_at(questions, finds.encode(task.passages, role="passage"), task.answers)


def _cases(judged: Sequence[Task], method: str, found: dict[str, float], yardstick: dict[str, float]) -> Iterator[Case]:
    for each in judged:
        figures = {"recall@10 %": 100 * found[each.name],
                   "of the encoder's %": 100 * found[each.name] / max(yardstick[each.name], 1e-9)}  # fmt: skip
        yield Case(task="static encoder", data=each.name, method=method, figures=figures, n=len(each.questions))


def _packages(language: str) -> list[dict[str, str]]:
    return read_ddtp({"zh": "zh_CN"}.get(language, language))


def _sentences() -> list[str]:
    return [text for code in LANGUAGES.values() for text in read_ntrex(code) if text.strip()]


def _pace(encode: Callable[[list[str]], Any], texts: list[str]) -> float:
    encode(texts[:100])
    best = float("inf")
    for _ in range(_ROUNDS):
        begun = time.process_time()
        encode(texts)
        best = min(best, time.process_time() - begun)
    return len(texts) / best


def _by_model2vec(
    python: Path, place: Path, texts: OwnTexts, judged: Sequence[Task], yardstick: dict[str, float]
) -> Iterator[Case]:
    """Yield what the table of model2vec finds; it is made of the checkpoint with the pieces of the same texts."""
    source, target, done = place / "checkpoint", place / "model2vec", place / "vectors.npz"
    sides = {each.name: (f"{row}-q", f"{row}-p") for row, each in enumerate(judged)}
    sentences = _sentences()
    if not done.exists():
        shutil.rmtree(source, ignore_errors=True)
        cut_checkpoint(bundled_checkpoint().folder, source, texts.texts)
        read = {sides[each.name][0]: list(each.questions) for each in judged}
        read |= {sides[each.name][1]: list(each.passages) for each in judged} | {"speed": sentences}
        (place / "texts.json").write_text(json.dumps(read), encoding="utf-8")
        arguments = [python, "-c", _MODEL2VEC, source, place / "texts.json", done, target]
        subprocess.run([str(each) for each in arguments], check=True, capture_output=True)
    with np.load(done) as vectors:
        read_back = {name: vectors[name].astype(np.float32) for name in vectors.files if name != "per_second"}
        pace = float(vectors["per_second"])
    found = {
        each.name: recall_at(read_back[sides[each.name][0]], read_back[sides[each.name][1]], each.answers)
        for each in judged
    }
    yield from _cases(judged, _THEIRS, found, yardstick)
    yield _cost(_THEIRS, target, pace, len(sentences))


def cut_checkpoint(folder: Path, target: Path, texts: Sequence[str]) -> None:
    """Write a checkpoint of BERT with a unigram tokenizer again, with no pieces but the special ones and the texts'.

    Parameters
    ----------
    folder : Path
        The checkpoint.
    target : Path
        The folder to make.
    texts : sequence of str
    """
    from safetensors.numpy import load_file, save_file
    from tokenizers import Tokenizer

    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    special = {each["id"] for each in content["added_tokens"]}
    seen = {number for each in tokenizer.encode_batch(list(texts)) for number in each.ids} | special
    vocabulary = content["model"]["vocab"]
    seen |= {number for number, (piece, _) in enumerate(vocabulary) if len(piece) == 1}
    kept = sorted(number for number in seen if number < len(vocabulary))
    content["model"]["vocab"] = [vocabulary[number] for number in kept]
    content["model"]["unk_id"] = kept.index(content["model"]["unk_id"])
    for each in content["added_tokens"]:
        each["id"] = kept.index(each["id"])
    target.mkdir()
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        if (folder / name).is_file():
            (target / name).write_bytes((folder / name).read_bytes())
    (target / "tokenizer.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8")) | {"vocab_size": len(kept)}
    (target / "config.json").write_text(json.dumps(settings), encoding="utf-8")
    tensors = load_file(folder / "model.safetensors")
    words = "embeddings.word_embeddings.weight"
    tensors[words] = np.ascontiguousarray(tensors[words][kept])
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})


def missed(rows: list[dict[str, Any]]) -> list[str]:
    """Say where a table keeps less, is slower or larger than it shall be; across languages nothing is asked."""
    told = []
    for each in rows:
        value, method = float(each["value"]), each["method"]
        least = {BY_ENCODER: _ASYMMETRIC, ALL_STATIC: _SYMMETRIC}.get(method)
        if each["metric"] == "of the encoder's %" and least and " to " not in each["data"].partition(", ")[2]:
            told += [f"{method}, {each['data']}: {value:.1f} %, below {least}"] if value < least else []
        if method == _OURS:
            told += [f"{value:.0f} sentences / CPU-s"] if "CPU-s" in each["metric"] and value < _FASTEST else []
            told += [f"{value:.1f} MB"] if each["metric"] == "MB" and value > _SMALLEST else []
    return told
