"""The methods that remove language, by the names they have in commands and files."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .language_covariance import MeanCovariance
from .language_removal import Centring, MeanVariance
from .language_subspace import LEACE, LIR, LSAR
from .language_vectors import LanguageRemoval

__all__ = ["REMOVAL_METHODS"]

#: Makes each method with its usual parameters. "lsar" and "leace" yield one map for all languages.
REMOVAL_METHODS: Mapping[str, Callable[[], LanguageRemoval]] = MappingProxyType(
    {
        "centring": Centring,
        "mean-variance": MeanVariance,
        "mean-covariance": MeanCovariance,
        "lir": LIR,
        "lsar": lambda: LSAR(centre=True),
        "leace": LEACE,
    }
)
