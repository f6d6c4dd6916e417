from .dictionary import Coverage, DictionaryError, DictionaryReport, SeedDictionary
from .formats.fasttext import SubwordVectors
from .formats.rows import EmbeddingFileError, ReadReport
from .language.balance import LanguageOffsets, balance_scores, language_offsets, retrieve_balanced
from .language.bias import LanguageBias, TranslationBias, language_bias
from .language.means import Centring, MeanCovariance, MeanVariance, nearest_language
from .language.methods import REMOVAL_METHODS
from .language.probe import LanguageProbe, language_probe
from .language.subspace import LEACE, LIR, LSAR
from .neighbors import Neighbors, fold_csls, fold_query, mean_neighbor_similarity, retrieve, top_k
from .space import ANY_LANGUAGE, HiddenLayer, Normalization, SharedSpace, SpaceError, SpaceMap
from .vocabulary import Embeddings, export_embeddings, export_languages, map_embeddings, to_gensim
from .word.confidence import (
    AlignmentFailedError,
    AlignmentWarning,
    Confidence,
    assess,
    assess_space,
)
from .word.evaluation import (
    Interval,
    LexiconReport,
    LexiconScore,
    bootstrap_interval,
    lexicon_ranks,
    lexicon_report,
    lexicon_score,
    parallel_accuracy,
)
from .word.signs import gram_distance, laplacian_distance
from .word.similarity import Analogies, SimilarityJudgements, analogy_accuracy, monolingual_quality, word_similarity

__all__ = [
    "ANY_LANGUAGE",
    "LEACE",
    "LIR",
    "LSAR",
    "REMOVAL_METHODS",
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
    "LanguageBias",
    "LanguageOffsets",
    "LanguageProbe",
    "LexiconReport",
    "LexiconScore",
    "MeanCovariance",
    "MeanVariance",
    "Neighbors",
    "Normalization",
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
