"""Knowledge graphs across languages: read, aligned, linked."""

from .entities import Candidate, Entity, EntityIndex
from .entity_sources import read_countries, read_entity_table, read_wikidata
from .graph import GraphError, GraphPair, KnowledgeGraph, name_from_uri, read_graph, read_graph_pair
from .graph_alignment import EntityLink, GraphAlignment, align_graphs

__all__ = [
    "Candidate",
    "Entity",
    "EntityIndex",
    "EntityLink",
    "GraphAlignment",
    "GraphError",
    "GraphPair",
    "KnowledgeGraph",
    "align_graphs",
    "name_from_uri",
    "read_countries",
    "read_entity_table",
    "read_graph",
    "read_graph_pair",
    "read_wikidata",
]
