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
from .language_bias import LanguageBias, TranslationBias, language_bias
from .language_calibration import LanguageOffsets, balance_scores, language_offsets, retrieve_balanced
from .language_covariance import MeanCovariance
from .language_methods import REMOVAL_METHODS
from .language_probe import LanguageProbe, language_probe
from .language_removal import Centring, MeanVariance, nearest_language
from .language_subspace import LEACE, LIR, LSAR
from .neighbors import Neighbors, top_k
from .normalization import Normalization
from .retrieval import fold_csls, fold_query, mean_neighbor_similarity, retrieve
from .shared_space import ANY_LANGUAGE, SharedSpace, SpaceError, SpaceMap
from .similarity import Analogies, SimilarityJudgements, analogy_accuracy, monolingual_quality, word_similarity
from .space_map import HiddenLayer
from .subwords import SubwordVectors

# plain order: LEACE, LIR and LSAR are classes, no constants
__all__ = [  # noqa: RUF022
    "ANY_LANGUAGE",
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
    "HiddenLayer",
    "Interval",
    "LEACE",
    "LIR",
    "LSAR",
    "LanguageBias",
    "LanguageOffsets",
    "LanguageProbe",
    "LexiconReport",
    "LexiconScore",
    "MeanCovariance",
    "MeanVariance",
    "Neighbors",
    "Normalization",
    "REMOVAL_METHODS",
    "ReadReport",
    "SeedDictionary",
    "SharedSpace",
    "SimilarityJudgements",
    "SpaceError",
    "SpaceMap",
    "SubwordVectors",
    "TranslationBias",
    "analogy_accuracy",
    "assess",
    "assess_space",
    "balance_scores",
    "bootstrap_interval",
    "export_embeddings",
    "export_languages",
    "fold_csls",
    "fold_query",
    "gram_distance",
    "language_bias",
    "language_offsets",
    "language_probe",
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
    "retrieve_balanced",
    "to_gensim",
    "top_k",
    "word_similarity",
]
