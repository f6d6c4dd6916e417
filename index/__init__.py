"""Vector indexes and collections: store vectors with ids and metadata, and search them."""

from .attachments import array_to_bytes, bytes_to_array
from .collection import Collection
from .factory import create_index, load_index, save_index
from .faiss_config import FaissFlatConfig, HNSWConfig, IVFConfig, IVFPQConfig, IVFRaBitQConfig
from .faiss_index import FaissIndex
from .filters import And, Eq, In, Not, Or, Range
from .flat import FlatIndex
from .foreign import parquet_batches
from .iteration import Batch
from .locking import LockedError
from .manifest import CorruptCollectionError
from .metric import Metric
from .milvus_client import MilvusConfig, MilvusError
from .milvus_collection import MilvusCollection
from .reader import CollectionReader
from .recommendation import Recommendation, recommend
from .result import CollectionResult, Hit, SearchResult
from .store import CollectionStore, restore
from .tuning import Tuning, recall_at_k, tune
from .vector_index import UnsupportedOperation, VectorIndex
from .verification import Verification, verify

__all__ = [
    "And",
    "Batch",
    "Collection",
    "CollectionReader",
    "CollectionResult",
    "CollectionStore",
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
    "LockedError",
    "Metric",
    "MilvusCollection",
    "MilvusConfig",
    "MilvusError",
    "Not",
    "Or",
    "Range",
    "Recommendation",
    "SearchResult",
    "Tuning",
    "UnsupportedOperation",
    "VectorIndex",
    "Verification",
    "array_to_bytes",
    "bytes_to_array",
    "create_index",
    "load_index",
    "parquet_batches",
    "recall_at_k",
    "recommend",
    "restore",
    "save_index",
    "tune",
    "verify",
]
