"""Maps between embedding spaces: arrays in, arrays out."""

from .dictionary import Coverage, DictionaryError, DictionaryReport, SeedDictionary
from .embeddings import Embeddings
from .evaluation import LexiconScore, lexicon_score, parallel_accuracy
from .formats import EmbeddingFileError, ReadReport
from .language_removal import Centring, nearest_language
from .neighbors import Neighbors, top_k
from .normalization import Normalization
from .retrieval import fold_csls, fold_query, mean_neighbor_similarity, retrieve
from .shared_space import SharedSpace, SpaceError, SpaceMap

__all__ = [
    "Centring",
    "Coverage",
    "DictionaryError",
    "DictionaryReport",
    "EmbeddingFileError",
    "Embeddings",
    "LexiconScore",
    "Neighbors",
    "Normalization",
    "ReadReport",
    "SeedDictionary",
    "SharedSpace",
    "SpaceError",
    "SpaceMap",
    "fold_csls",
    "fold_query",
    "lexicon_score",
    "mean_neighbor_similarity",
    "nearest_language",
    "parallel_accuracy",
    "retrieve",
    "top_k",
]
