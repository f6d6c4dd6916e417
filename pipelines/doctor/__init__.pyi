from .encoding import Verdict
from .examination import Examination, examine
from .geometry import Geometry, geometry_of
from .mixture import Mixture, find_mixture

__all__ = [
    "Examination",
    "Geometry",
    "Mixture",
    "Verdict",
    "examine",
    "find_mixture",
    "geometry_of",
]
