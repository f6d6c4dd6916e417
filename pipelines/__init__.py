"""Encode, align, index and search: the verbs people use."""

from .answer import Answer, QuestionAnswerer
from .cross_lingual_classifier import CrossLingualClassifier
from .declaration import Translation, load_declaration
from .encoder import Encoder
from .encoder_loading import load_encoder
from .export_sentence_transformers import to_sentence_transformers
from .hub_correction import HubCorrectedCollection
from .mteb_model import AlignedModel
from .passages import Passage, read_passages
from .respond import Exchange, Reply, ResponseSelector, read_exchanges
from .search import CrossLingualSearch, SearchHit
from .translate import WordTranslations, translate_words
from .translate_lexicon import BitextLexicon, extend_dictionary, lexicon_from_bitext
from .translation_memory import MemoryMatch, TranslationMemory
from .translator import Translator

__all__ = [
    "AlignedModel",
    "Answer",
    "BitextLexicon",
    "CrossLingualClassifier",
    "CrossLingualSearch",
    "Encoder",
    "Exchange",
    "HubCorrectedCollection",
    "MemoryMatch",
    "Passage",
    "QuestionAnswerer",
    "Reply",
    "ResponseSelector",
    "SearchHit",
    "Translation",
    "TranslationMemory",
    "Translator",
    "WordTranslations",
    "extend_dictionary",
    "lexicon_from_bitext",
    "load_declaration",
    "load_encoder",
    "read_exchanges",
    "read_passages",
    "to_sentence_transformers",
    "translate_words",
]
