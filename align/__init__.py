"""Maps between embedding spaces: arrays in, arrays out."""

from .confidence import AlignmentFailedError, AlignmentWarning, Confidence, assess, assess_space
from .dictionary import Coverage, DictionaryError, DictionaryReport, SeedDictionary
from .embeddings import Embeddings
from .evaluation import (
    Interval,
    LexiconReport,
    LexiconScore,
    bootstrap_interval,
    lexicon_ranks,
    lexicon_report,
    lexicon_score,
    parallel_accuracy,
)
from .export import export_embeddings, export_languages, map_embeddings, to_gensim
from .formats import EmbeddingFileError, ReadReport
from .isomorphy import gram_distance, laplacian_distance
from .language_removal import Centring, nearest_language
from .neighbors import Neighbors, top_k
from .normalization import Normalization
from .retrieval import fold_csls, fold_query, mean_neighbor_similarity, retrieve
from .shared_space import SharedSpace, SpaceError, SpaceMap
from .similarity import Analogies, SimilarityJudgements, analogy_accuracy, monolingual_quality, word_similarity
from .subwords import SubwordVectors

__all__ = [
    "AlignmentFailedError",
    "AlignmentWarning",
    "Analogies",
    "Centring",
    "Confidence",
    "Coverage",
    "DictionaryError",
    "DictionaryReport",
    "EmbeddingFileError",
    "Embeddings",
    "Interval",
    "LexiconReport",
    "LexiconScore",
    "Neighbors",
    "Normalization",
    "ReadReport",
    "SeedDictionary",
    "SharedSpace",
    "SimilarityJudgements",
    "SpaceError",
    "SpaceMap",
    "SubwordVectors",
    "analogy_accuracy",
    "assess",
    "assess_space",
    "bootstrap_interval",
    "export_embeddings",
    "export_languages",
    "fold_csls",
    "fold_query",
    "gram_distance",
    "laplacian_distance",
    "lexicon_ranks",
    "lexicon_report",
    "lexicon_score",
    "map_embeddings",
    "mean_neighbor_similarity",
    "monolingual_quality",
    "nearest_language",
    "parallel_accuracy",
    "retrieve",
    "to_gensim",
    "top_k",
    "word_similarity",
]
