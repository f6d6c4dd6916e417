from .corpus import Corpus, as_corpus, read_corpus, sampling_shares
from .labelled import Labelled, LabelledWords, read_conll, read_labelled
from .pairs import BitextError, Pair, PairReport, Pairs, read_pairs, write_pairs

__all__ = [
    "BitextError",
    "Corpus",
    "Labelled",
    "LabelledWords",
    "Pair",
    "PairReport",
    "Pairs",
    "as_corpus",
    "read_conll",
    "read_corpus",
    "read_labelled",
    "read_pairs",
    "sampling_shares",
    "write_pairs",
]
