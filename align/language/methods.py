"""The methods that remove language, by the names they have in commands and files."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .means import Centring, LanguageRemoval, MeanCovariance, MeanVariance
from .subspace import LEACE, LIR, LSAR

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
