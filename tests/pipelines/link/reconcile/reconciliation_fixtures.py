"""A small index, and the specification's schemas, for the tests of the reconciliation service."""

import json
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path

SCHEMAS = json.loads((Path(__file__).parent / "reconciliation_schemas.json").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Thing:
    id: str
    names: dict
    aliases: tuple = ()
    description: str = ""
    types: tuple = ()
    properties: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Hit:
    entity: Thing
    score: float
    probability: float
    features: dict


THINGS = [
    Thing("DE", {"en": "Germany", "de": "Deutschland", "ar": "ألمانيا"}, ("FRG",), "a country in Europe",
          ("country",), {"capital": "Berlin", "region": "Europe"}),
    Thing("FR", {"en": "France", "de": "Frankreich"}, (), "", ("country",), {"capital": "Paris", "region": "Europe"}),
    Thing("GE", {"en": "Georgia", "de": "Georgien"}, (), "a country at the Black Sea", ("country",),
          {"capital": "Tbilisi", "region": "Asia"}),
    Thing("US-GA", {"en": "Georgia"}, (), "a state", ("state", "region"),
          {"capital": "Atlanta", "region": "America", "code": ["13", "GA"]}),
    Thing("X<1>", {"en": "<script>alert(1)</script>"}, ("\"&'",), "<b>bold</b>", ("odd<",), {"k<": "<i>v</i>"}),
]  # fmt: skip


class SmallIndex:
    """Links by the likeness of spelling."""

    threshold = 0.5

    def __init__(self, things=THINGS):
        self.entities = tuple(things)
        self._by_id = {each.id: each for each in things}
        self.asked = []

    def __len__(self):
        return len(self.entities)

    def get(self, entity_id):
        return self._by_id[entity_id]

    def types(self):
        found = {}
        for each in self.entities:
            for kind in each.types:
                found[kind] = found.get(kind, 0) + 1
        return found

    def suggest(self, prefix, k, types=None):
        return [
            each
            for each in self.entities
            if any(name.casefold().startswith(prefix.casefold()) for name in each.names.values())
        ][:k]

    def link(self, mentions, *, contexts=None, language=None, types=None, k=5):
        self.asked.append({"mentions": list(mentions), "contexts": contexts, "language": language, "types": types})
        found = []
        for mention in mentions:
            hits = []
            for each in self.entities:
                if types and not set(types) & set(each.types):
                    continue
                names = [*each.names.values(), *each.aliases]
                near = max(SequenceMatcher(None, mention.casefold(), name.casefold()).ratio() for name in names)
                hits.append(Hit(each, near, 0.98 * near**4, {"name": near, "spelling": near}))
            found.append(sorted(hits, key=lambda hit: -hit.score)[:k])
        return found


@cache
def validator(version, name):
    """Return a function that raises where a value is not as a schema of the specification says."""
    from jsonschema import Draft7Validator
    from referencing.jsonschema import DRAFT7, EMPTY_REGISTRY

    files = SCHEMAS[version]
    registry = EMPTY_REGISTRY.with_contents(
        [(each["$id"], each) for each in files.values()], default_specification=DRAFT7
    )
    return Draft7Validator(files[name], registry=registry).validate
