"""What the reconciliation service needs of an index of entities; `EntityIndex` has it, and another may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class LinkedEntity(Protocol):
    """A thing with names by language, the main one first."""

    @property
    def id(self) -> str: ...  # noqa: D102 - named alike in every index
    @property
    def names(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def aliases(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def description(self) -> str: ...  # noqa: D102
    @property
    def types(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def properties(self) -> Mapping[str, Any]: ...  # noqa: D102


class LinkedCandidate(Protocol):
    """An entity that a mention may mean, with the probability that it does, and why."""

    @property
    def entity(self) -> LinkedEntity: ...  # noqa: D102
    @property
    def probability(self) -> float: ...  # noqa: D102
    @property
    def features(self) -> Mapping[str, float]: ...  # noqa: D102


class LinkingIndex(Protocol):
    """Finds entities by their names, ids and beginnings of names."""

    @property
    def entities(self) -> Sequence[LinkedEntity]: ...  # noqa: D102
    def __len__(self) -> int: ...
    def get(self, entity_id: str, /) -> LinkedEntity | None:
        """Return the entity of that id; for another, return None or raise LookupError."""
        ...

    def types(self) -> Mapping[str, int]:
        """Return the types with the number of their entities."""
        ...

    def suggest(self, prefix: str, /, k: int) -> Sequence[LinkedEntity]:
        """Return entities with a name that begins so."""
        ...

    def link(
        self,
        mentions: Sequence[str],
        /,
        *,
        contexts: Sequence[str | None] | None = None,
        language: str | None = None,
        types: Sequence[str] | None = None,
        k: int = 5,
    ) -> Sequence[Sequence[LinkedCandidate]]:
        """Return the candidates of each mention, most probable first."""
        ...
