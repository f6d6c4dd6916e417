from .dictionary import DictionaryError, SeedDictionary
from .formats.fasttext import SubwordVectors
from .formats.rows import EmbeddingFileError, ReadReport
from .neighbors import Neighbors, retrieve, top_k
from .space import ANY_LANGUAGE, HiddenLayer, Normalization, SharedSpace, SpaceError, SpaceMap
from .vocabulary import Embeddings, export_embeddings, export_languages, map_embeddings, to_gensim
from .word.confidence import AlignmentFailedError, AlignmentWarning

__all__ = [
    "ANY_LANGUAGE",
    "AlignmentFailedError",
    "AlignmentWarning",
    "DictionaryError",
    "EmbeddingFileError",
    "Embeddings",
    "HiddenLayer",
    "Neighbors",
    "Normalization",
    "ReadReport",
    "SeedDictionary",
    "SharedSpace",
    "SpaceError",
    "SpaceMap",
    "SubwordVectors",
    "export_embeddings",
    "export_languages",
    "map_embeddings",
    "retrieve",
    "to_gensim",
    "top_k",
]
