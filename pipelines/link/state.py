"""What an index of entities answers from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from interlingua.index import Collection

from .entity import ACCEPTED, ALIAS, CONTEXT, NAME, Entity
from .names import NameTable, folded_name


@dataclass(frozen=True)
class LinkState:
    """The entities, their names and their descriptions as arrays; never changed, but left for another one.

    Attributes
    ----------
    entities : mapping of str to Entity
        By id, with the names that were accepted.
    places : mapping of str to int
        Of each id, its row.
    table : NameTable
    contexts : (entities, d) array
        Vectors of their descriptions; zero where there is none.
    context_mean : (d,) array
    """

    entities: Mapping[str, Entity]
    places: Mapping[str, int]
    table: NameTable
    contexts: NDArray[np.float32]
    context_mean: NDArray[np.float32]

    @classmethod
    def of(cls, known: Mapping[str, Entity], collection: Collection, packed: bytes | None = None) -> LinkState:
        """Return the state of a collection's rows; `packed` is of its names, see `NameTable.packed`."""
        with collection.lock.reading:
            ids = collection.ids
            rows, vectors = collection.get(ids), collection.vectors(ids)
        entities = dict(known)
        places = {id: row for row, id in enumerate(entities)}
        owners = np.array([places[row["entity"]] for row in rows], np.int64)
        kinds = np.array([row["kind"] for row in rows], dtype=object)
        later = (kinds == ACCEPTED) & np.isin(owners, owners[(kinds == NAME) | (kinds == ALIAS)])
        chosen = np.flatnonzero((kinds != CONTEXT) & ~later)
        texts, languages = ([rows[row][key] for row in chosen] for key in ("text", "language"))
        table = NameTable(texts, languages, owners[chosen], vectors[chosen], known=packed)
        contexts = np.zeros((len(entities), vectors.shape[1]), np.float32)
        mean = np.zeros(vectors.shape[1], np.float32)
        described = np.flatnonzero(kinds == CONTEXT)
        if len(described):
            mean = vectors[described].mean(axis=0)
            contexts[owners[described]] = vectors[described]
        accepted = [rows[row] for row in np.flatnonzero(later).tolist()]
        return cls(entities, places, table, contexts, mean).accepting(accepted, vectors[later])

    def accepting(self, rows: Sequence[Mapping[str, Any]], vectors: NDArray[np.float32]) -> LinkState:
        """Return the state with more accepted names, which the collection says so of and which has these vectors."""
        if not rows:
            return self
        entities = dict(self.entities)
        for row in rows:
            each = entities[row["entity"]]
            if row["text"] not in each.aliases:
                entities[each.id] = replace(each, aliases=(*each.aliases, row["text"]))
        owners = np.array([self.places[row["entity"]] for row in rows], np.int64)
        made = replace(
            self, entities=entities, table=self.table.with_more([row["text"] for row in rows], owners, vectors)
        )
        if "folded" in self.__dict__:
            changed = {id: _folded_names(entities[id]) for id in {row["entity"] for row in rows}}
            made.__dict__["folded"] = {**self.folded, **changed}
        return made

    @cached_property
    def folded(self) -> dict[str, list[str]]:
        """The folded names of each entity, with a space before each."""
        return {id: _folded_names(each) for id, each in self.entities.items()}


def _folded_names(entity: Entity) -> list[str]:
    return [f" {folded_name(name)}" for name in (*entity.names.values(), *entity.aliases)]
