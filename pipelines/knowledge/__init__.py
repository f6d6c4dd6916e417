"""Knowledge graphs across languages: read, aligned, linked."""

from .graph import GraphError, GraphPair, KnowledgeGraph, name_from_uri, read_graph, read_graph_pair
from .graph_alignment import EntityLink, GraphAlignment, align_graphs

__all__ = [
    "EntityLink",
    "GraphAlignment",
    "GraphError",
    "GraphPair",
    "KnowledgeGraph",
    "align_graphs",
    "name_from_uri",
    "read_graph",
    "read_graph_pair",
]
