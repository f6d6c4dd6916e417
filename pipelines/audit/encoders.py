"""The same texts by several encoders: which of them tells languages apart least, and finds translations best."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any

import numpy as np

from interlingua.pipelines.encoders.base import Encoder
from interlingua.pipelines.encoders.load import encode_named, load_encoder
from interlingua.pipelines.search.ranked import rows_by_language
from interlingua.pipelines.stored import open_collection
from interlingua.pipelines.texts.tables import read_columns

from .measure import Audit, AuditVectors, audit


@dataclass(frozen=True)
class AuditTexts:
    """Texts with the language of each, and with ids where texts of different languages belong together.

    Attributes
    ----------
    texts, languages : tuple of n str
    ids : tuple of n hashable, or None
    """

    texts: tuple[str, ...]
    languages: tuple[str, ...]
    ids: tuple[Hashable, ...] | None = None

    def some(self, n: int, seed: int = 0) -> "AuditTexts":
        """Return about n of the texts: all of an id, or as many of each language, drawn by the seed."""
        if len(self.texts) <= n:
            return self
        rng = np.random.default_rng(seed)
        if self.ids is not None:
            names = list(dict.fromkeys(self.ids))
            share = max(2, round(n * len(names) / len(self.texts)))
            drawn = {names[place] for place in rng.permutation(len(names))[:share].tolist()}
            rows = [row for row, id in enumerate(self.ids) if id in drawn]
        else:
            groups = rows_by_language(self.languages).values()
            rows = sorted(row for own in groups for row in rng.permutation(own)[: max(2, n // len(groups))].tolist())
        ids = None if self.ids is None else tuple(self.ids[row] for row in rows)
        return AuditTexts(tuple(self.texts[row] for row in rows), tuple(self.languages[row] for row in rows), ids)


def texts_of_table(path: str | PathLike[str]) -> AuditTexts:
    """Return the texts of a table with columns language and text and, where there is one, id."""
    found = read_columns(path, ["language", "text"], optional=["id"])
    return AuditTexts(tuple(found["text"]), tuple(found["language"]), tuple(found["id"]) if "id" in found else None)


def texts_of_collection(folder: str | PathLike[str], *, id_field: str | None = None) -> AuditTexts:
    """Return the texts of a saved collection.

    Raises
    ------
    ValueError
        If a row has no text, no language, or no such field.
    """
    collection: Any = open_collection(fspath(folder))
    rows = [row for batch in collection.batches(4096) for row in batch.metadata]
    for name in ("text", "language", *([] if id_field is None else [id_field])):
        if any(not isinstance(row.get(name), str | int) for row in rows):
            raise ValueError(
                f"{folder} has rows without the field {name!r}, and cannot be encoded anew; leave --encoder out"
            )
    ids = None if id_field is None else tuple(str(row[id_field]) for row in rows)
    return AuditTexts(tuple(row["text"] for row in rows), tuple(row["language"] for row in rows), ids)


def audit_encoders(
    given: AuditTexts,
    encoders: Mapping[str, Encoder] | Sequence[str],
    *,
    k: int = 5,
    sample: int = 2000,
    seed: int = 0,
    progress: bool = False,
    **loading: Any,
) -> dict[str, Audit]:
    """Audit the same texts, as several encoders see them.

    Parameters
    ----------
    given : AuditTexts
    encoders : mapping of str to Encoder, or sequence of str
        By name; names alone are what `load_encoder` takes.
    k, seed
        As in `audit`.
    sample : int
        Encode at most about so many texts with each.
    progress : bool
        Show a bar on standard error.
    **loading
        Of `load_encoder`: ``device``, ``cache``.

    Raises
    ------
    ValueError
        If there are fewer than two encoders, or a text is unknown to one; else as in `audit`.
    """
    if len(encoders) < 2:
        raise ValueError(f"encoders are compared from two on, but there are {len(encoders)}")
    some = given.some(sample, seed)
    names = [f"text {number}" for number in range(1, len(some.texts) + 1)]
    found = {}
    for name in encoders:
        model = encoders[name] if isinstance(encoders, Mapping) else load_encoder(name, **loading)
        rows = encode_named(model, some.texts, names, "passage", languages=some.languages, progress=progress)
        found[name] = audit(AuditVectors(rows, some.languages, some.ids, model.identity), k=k, seed=seed)
    return found
