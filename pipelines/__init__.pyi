from .answer.answer import Answer, QuestionAnswerer
from .answer.respond import Exchange, Reply, ResponseSelector, read_exchanges
from .classify.texts import CrossLingualClassifier
from .demo.demo import Translation, load_declaration
from .encoders.base import Encoder
from .encoders.load import load_encoder
from .export.model import to_sentence_transformers
from .export.mteb import AlignedModel
from .search.corrected import HubCorrectedCollection
from .search.finding import SearchHit
from .search.search import CrossLingualSearch
from .texts.passages import Passage, read_passages
from .translate.lexicon import BitextLexicon, extend_dictionary, lexicon_from_bitext
from .translate.memory import MemoryMatch, TranslationMemory
from .translate.words import Translator, WordTranslations, translate_words

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
