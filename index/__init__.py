"""Vector indexes and collections: store vectors with ids and metadata, and search them."""

from .attachments import array_to_bytes, bytes_to_array
from .collection import Collection
from .factory import create_index, load_index, save_index
from .faiss_config import FaissFlatConfig, HNSWConfig
from .faiss_index import FaissIndex
from .flat import FlatIndex
from .manifest import CorruptCollectionError
from .metric import Metric
from .result import CollectionResult, Hit, SearchResult
from .vector_index import UnsupportedOperation, VectorIndex

__all__ = [
    "Collection",
    "CollectionResult",
    "CorruptCollectionError",
    "FaissFlatConfig",
    "FaissIndex",
    "FlatIndex",
    "HNSWConfig",
    "Hit",
    "Metric",
    "SearchResult",
    "UnsupportedOperation",
    "VectorIndex",
    "array_to_bytes",
    "bytes_to_array",
    "create_index",
    "load_index",
    "save_index",
]
