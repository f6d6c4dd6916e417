from .balance import LanguageOffsets, language_offsets
from .bias import LanguageBias, language_bias
from .means import Centring, MeanCovariance, MeanVariance, nearest_language
from .methods import REMOVAL_METHODS
from .probe import LanguageProbe, language_probe
from .subspace import LEACE, LIR, LSAR

__all__ = [
    "LEACE",
    "LIR",
    "LSAR",
    "REMOVAL_METHODS",
    "Centring",
    "LanguageBias",
    "LanguageOffsets",
    "LanguageProbe",
    "MeanCovariance",
    "MeanVariance",
    "language_bias",
    "language_offsets",
    "language_probe",
    "nearest_language",
]
