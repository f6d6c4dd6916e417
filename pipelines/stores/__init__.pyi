from .base import Place, StoreError, StoreRows
from .open import StoreKind, is_store, kind_of_store, kind_to_write, read_store, write_store

__all__ = [
    "Place",
    "StoreError",
    "StoreKind",
    "StoreRows",
    "is_store",
    "kind_of_store",
    "kind_to_write",
    "read_store",
    "write_store",
]
