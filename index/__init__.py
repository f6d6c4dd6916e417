"""Vector indexes and collections: store vectors with ids and metadata, and search them."""

from .attachments import array_to_bytes, bytes_to_array
from .collection import Collection
from .factory import create_index, load_index, save_index
from .faiss_config import FaissFlatConfig, HNSWConfig, IVFConfig, IVFPQConfig, IVFRaBitQConfig
from .faiss_index import FaissIndex
from .filters import And, Eq, In, Not, Or, Range
from .flat import FlatIndex
from .manifest import CorruptCollectionError
from .metric import Metric
from .recommendation import Recommendation, recommend
from .result import CollectionResult, Hit, SearchResult
from .tuning import Tuning, recall_at_k, tune
from .vector_index import UnsupportedOperation, VectorIndex

__all__ = [
    "And",
    "Collection",
    "CollectionResult",
    "CorruptCollectionError",
    "Eq",
    "FaissFlatConfig",
    "FaissIndex",
    "FlatIndex",
    "HNSWConfig",
    "Hit",
    "IVFConfig",
    "IVFPQConfig",
    "IVFRaBitQConfig",
    "In",
    "Metric",
    "Not",
    "Or",
    "Range",
    "Recommendation",
    "SearchResult",
    "Tuning",
    "UnsupportedOperation",
    "VectorIndex",
    "array_to_bytes",
    "bytes_to_array",
    "create_index",
    "load_index",
    "recall_at_k",
    "recommend",
    "save_index",
    "tune",
]
