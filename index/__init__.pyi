from .collection.collection import Collection
from .collection.expression import parse_filter
from .collection.filters import And, Eq, In, Not, Or, Range
from .collection.store import CollectionReader, CollectionStore, restore
from .collection.verification import verify
from .engines.base import UnsupportedOperation, VectorIndex
from .engines.choose import create_index, load_index, recommend, save_index
from .engines.config import FaissFlatConfig, HNSWConfig, IVFConfig, IVFPQConfig, IVFRaBitQConfig
from .engines.faiss import FaissIndex
from .engines.flat import FlatIndex
from .folder import CorruptCollectionError, LockedError
from .milvus.client import MilvusConfig, MilvusError
from .milvus.collection import MilvusCollection

__all__ = [
    "And",
    "Collection",
    "CollectionReader",
    "CollectionStore",
    "CorruptCollectionError",
    "Eq",
    "FaissFlatConfig",
    "FaissIndex",
    "FlatIndex",
    "HNSWConfig",
    "IVFConfig",
    "IVFPQConfig",
    "IVFRaBitQConfig",
    "In",
    "LockedError",
    "MilvusCollection",
    "MilvusConfig",
    "MilvusError",
    "Not",
    "Or",
    "Range",
    "UnsupportedOperation",
    "VectorIndex",
    "create_index",
    "load_index",
    "parse_filter",
    "recommend",
    "restore",
    "save_index",
    "verify",
]
