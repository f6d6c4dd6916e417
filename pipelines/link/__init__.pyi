from .entities import Candidate, EntityIndex
from .entity import Entity
from .sources import read_entity_table, read_wikidata

__all__ = [
    "Candidate",
    "Entity",
    "EntityIndex",
    "read_entity_table",
    "read_wikidata",
]
