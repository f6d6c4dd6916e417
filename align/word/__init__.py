"""Aligners of word vectors: each learns a `SharedSpace` from two vocabularies, or from many."""

from .adversarial import Adversarial
from .auto import align
from .candidate_ranking import CandidateRanking
from .contrastive import Contrastive
from .expansion import Expansion
from .fitting import fit_dictionary, score_dictionary
from .hub_fitting import align_many
from .multilingual import GeneralizedProcrustes, PivotHub, add_language
from .optimal_transport import WassersteinProcrustes
from .procrustes import Procrustes, orthogonal_map
from .race import Race
from .rcsls import RCSLS
from .reranking import Reranker
from .restarts import Restarts
from .self_learning import SelfLearning
from .whitening import MultiStep

__all__ = [  # noqa: RUF022 # sorted as strings, as everywhere; ruff takes RCSLS for a constant
    "Adversarial",
    "CandidateRanking",
    "Contrastive",
    "Expansion",
    "GeneralizedProcrustes",
    "MultiStep",
    "PivotHub",
    "Procrustes",
    "RCSLS",
    "Race",
    "Reranker",
    "Restarts",
    "SelfLearning",
    "WassersteinProcrustes",
    "add_language",
    "align",
    "align_many",
    "fit_dictionary",
    "orthogonal_map",
    "score_dictionary",
]
