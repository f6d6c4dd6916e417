from .align import EntityLink, GraphAlignment, align_graphs
from .graph import GraphError, GraphPair, KnowledgeGraph, name_from_uri, read_graph, read_graph_pair

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
