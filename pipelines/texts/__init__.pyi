from .corpus import read_corpus
from .labelled import read_labelled
from .pairs import BitextError, Pair, read_pairs, write_pairs

__all__ = [
    "BitextError",
    "Pair",
    "read_corpus",
    "read_labelled",
    "read_pairs",
    "write_pairs",
]
