from .bridge import Bridge, BridgeEnd, BridgeError
from .fit import CurvePoint, TextVectors, fit_bridge, learning_curve, understood
from .linear import LinearMap
from .recall import Retention, answer_ranks, nearest_rows, retention, shared_share
from .unpaired import Matching, match_rows

__all__ = [
    "Bridge",
    "BridgeEnd",
    "BridgeError",
    "CurvePoint",
    "LinearMap",
    "Matching",
    "Retention",
    "TextVectors",
    "answer_ranks",
    "fit_bridge",
    "learning_curve",
    "match_rows",
    "nearest_rows",
    "retention",
    "shared_share",
    "understood",
]
