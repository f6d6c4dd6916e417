from .base import Place, StoreError, StoreRows, without_password
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
    "without_password",
    "write_store",
]
