from .alignment import EntityAlignment, align_entities
from .growth import GrownPairs, grow_pairs

__all__ = [
    "EntityAlignment",
    "GrownPairs",
    "align_entities",
    "grow_pairs",
]
