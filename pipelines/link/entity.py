"""A thing that has names, and the rows of a collection that it becomes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .names import folded_name

NAME, ALIAS, ACCEPTED, CONTEXT = "name", "alias", "accepted", "context"
_LONGEST = 400  # characters of a context


@dataclass(frozen=True)
class Entity:
    """A thing that has names.

    Attributes
    ----------
    id : str
    names : mapping of str to str
        By language, the main one first; the language is "" where it is unknown.
    aliases : tuple of str
        Other names, in any language.
    description : str
        What tells it from its namesakes.
    types : tuple of str
    properties : mapping of str to tuple of str
    """

    id: str
    names: Mapping[str, str]
    aliases: tuple[str, ...] = ()
    description: str = ""
    types: tuple[str, ...] = ()
    properties: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The main name."""
        return next(iter(self.names.values()), self.aliases[0] if self.aliases else self.id)


def check_entities(entities: Sequence[Entity]) -> None:
    """Refuse entities without an id or a name, and ids that repeat."""
    if not entities:
        raise ValueError("an index needs at least one entity, but none was given")
    for id, n in Counter(each.id for each in entities).most_common(1):
        if n > 1:
            raise ValueError(f"entities need different ids, but {id!r} is there {n} times")
    for each in entities:
        if not each.id or not any(name.strip() for name in (*each.names.values(), *each.aliases)):
            raise ValueError(f"each entity needs an id and a name, but one has the id {each.id!r} and no name")


def name_rows(entity: Entity) -> list[tuple[str, dict[str, str]]]:
    """Return the texts of an entity, each name once, and what the collection says of them."""
    seen: set[str] = set()
    rows = []
    named = [(name, NAME, language) for language, name in entity.names.items()]
    for name, kind, language in [*named, *((alias, ALIAS, "") for alias in entity.aliases)]:
        if name.strip() and folded_name(name) not in seen:
            seen.add(folded_name(name))
            rows.append((name, {"entity": entity.id, "kind": kind, "text": name, "language": language}))
    about = [entity.description, *entity.types, *(value for each in entity.properties.values() for value in each)]
    said = [each.strip() for each in about if any(letter.isalpha() and not letter.isupper() for letter in each)]
    if said:  # an id, such as Q6256, says nothing
        text = f"{entity.name}: {'; '.join(dict.fromkeys(said))}"[:_LONGEST]
        rows.append((text, {"entity": entity.id, "kind": CONTEXT, "text": text, "language": ""}))
    return rows


def entity_from_json(value: Mapping[str, Any]) -> Entity:
    """Return the entity that `dataclasses.asdict` made JSON of."""
    properties = {name: tuple(values) for name, values in value["properties"].items()}
    return Entity(
        **{**value, "aliases": tuple(value["aliases"]), "types": tuple(value["types"]), "properties": properties}
    )
