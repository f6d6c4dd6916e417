from .collection.collection import Collection
from .collection.filters import And, Eq, In, Not, Or, Range
from .collection.parts import array_to_bytes, bytes_to_array
from .collection.store import CollectionReader, CollectionStore, restore
from .collection.verification import Verification, verify
from .engines.base import Batch, CollectionResult, Hit, Metric, SearchResult, UnsupportedOperation, VectorIndex
from .engines.choose import Recommendation, Tuning, create_index, load_index, recall_at_k, recommend, save_index, tune
from .engines.config import FaissFlatConfig, HNSWConfig, IVFConfig, IVFPQConfig, IVFRaBitQConfig
from .engines.faiss import FaissIndex
from .engines.flat import FlatIndex
from .exchange import parquet_batches
from .folder import CorruptCollectionError, LockedError
from .milvus.client import MilvusConfig, MilvusError
from .milvus.collection import MilvusCollection

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
