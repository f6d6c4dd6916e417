from .entities import Candidate, Entity, EntityIndex
from .sources import read_entity_table, read_wikidata

__all__ = [
    "Candidate",
    "Entity",
    "EntityIndex",
    "read_entity_table",
    "read_wikidata",
]
