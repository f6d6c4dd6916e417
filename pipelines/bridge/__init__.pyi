from .encoder import BridgedEncoder
from .fit import about_bridge, fit_text_bridge
from .questions import BridgedQuestions, map_questions
from .texts import BridgeTexts, read_bridge_texts

__all__ = [
    "BridgeTexts",
    "BridgedEncoder",
    "BridgedQuestions",
    "about_bridge",
    "fit_text_bridge",
    "map_questions",
    "read_bridge_texts",
]
