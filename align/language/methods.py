"""The methods that remove language, by the names they have in commands and files."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from .means import Centring, MeanCovariance, MeanVariance
from .removal import LanguageRemoval
from .subspace import LEACE, LIR, LSAR

_CLASSES: tuple[type[LanguageRemoval], ...] = (Centring, MeanVariance, MeanCovariance, LIR, LSAR, LEACE)

#: Makes each method with its usual parameters. "lsar" and "leace" yield one map for all languages.
REMOVAL_METHODS: Mapping[str, Callable[[], LanguageRemoval]] = MappingProxyType(
    {each.name: each.usual for each in _CLASSES}
)
