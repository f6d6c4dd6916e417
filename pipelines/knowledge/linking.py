"""From nearness to probability: features of candidates, and a model fitted to the index itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .entity_names import NameTable, Nearness, centred_by_script
from .link_model import LinkModel

__all__ = ["calibrated", "default_model", "feature_rows"]

# fitted by benchmarks.linking_weights, half of the mentions unknown; the context's to namesakes that no benchmark holds
_WEIGHTS = (18.7, 8.5, 3.0, 3.6, 25.0, 0.5)
_BIAS = -8.4
_MOST, _FEWEST = 1000, 50


def default_model() -> LinkModel:
    """Return the model for an index that says nothing about itself."""
    return LinkModel(_WEIGHTS, _BIAS)


def feature_rows(near: Nearness, context: NDArray[np.floating] | None = None) -> NDArray[np.float32]:
    """Return the features of candidates, (c, f), in the order of `FEATURES`.

    The cosines of the context are less their mean over the ten nearest candidates; NaN, for an entity without
    description, is the mean.
    """
    around = np.zeros(len(near.owners), np.float32)
    if context is not None and np.isfinite(context).any():
        first = np.argsort(-near.name)[:10]
        known = context[first][np.isfinite(context[first])]
        middle = known.mean() if len(known) else np.nanmean(context)
        around = np.where(np.isfinite(context), context - middle, 0.0).astype(np.float32)
    columns = (near.name, near.spelling, near.exact, near.script, around, near.language)
    return np.column_stack([each.astype(np.float32) for each in columns])


def calibrated(model: LinkModel, table: NameTable, *, seed: int = 0) -> LinkModel:
    """Return the model fitted to the index: names looked up as if their language were not there.

    Once the entity has its names in other languages only, so that it should be found, and once none at all. Where fewer
    than 50 names have a name in another language beside them, the model stays as it is.
    """
    rng = np.random.default_rng(seed)
    own = np.split(np.arange(len(table.owners)), np.searchsorted(table.owners, np.arange(1, table.owners.max() + 1)))
    foreign = {
        row: [int(each) for each in own[owner] if table.languages[each] in ("", table.languages[row])]
        for row, owner in enumerate(table.owners.tolist())
        if table.languages[row]
    }
    several = np.array([row for row, hidden in foreign.items() if len(hidden) < len(own[table.owners[row]])], np.int64)
    if len(several) < _FEWEST:
        return model
    rows = np.sort(rng.permutation(several)[:_MOST])
    names = [table.names[row] for row in rows]
    vectors = centred_by_script(names, table.vectors[rows], np.zeros(table.vectors.shape[1]))
    groups, right = [], []
    for hidden in ([foreign[int(row)] for row in rows], [own[table.owners[row]].tolist() for row in rows]):
        for row, near in zip(rows, table.near(names, vectors, hidden=hidden, prepared=True), strict=True):
            hit = np.flatnonzero(near.owners == table.owners[row])
            groups.append(feature_rows(near))
            right.append(int(hit[0]) if len(hit) else None)
    return model.fitted(groups, right)
