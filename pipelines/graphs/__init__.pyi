from .align import GraphAlignment, align_graphs
from .graph import GraphError, GraphPair, KnowledgeGraph, read_graph, read_graph_pair

__all__ = [
    "GraphAlignment",
    "GraphError",
    "GraphPair",
    "KnowledgeGraph",
    "align_graphs",
    "read_graph",
    "read_graph_pair",
]
