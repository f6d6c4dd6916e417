from .encoder import BridgedEncoder
from .fit import about_bridge, fit_text_bridge
from .index import IndexTexts, fit_index_bridge, read_index
from .models import load_bridge
from .questions import BridgedQuestions, map_questions
from .texts import BridgeTexts, read_bridge_texts

__all__ = [
    "BridgeTexts",
    "BridgedEncoder",
    "BridgedQuestions",
    "IndexTexts",
    "about_bridge",
    "fit_index_bridge",
    "fit_text_bridge",
    "load_bridge",
    "map_questions",
    "read_bridge_texts",
    "read_index",
]
