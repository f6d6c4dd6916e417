from .auto import align, fit_dictionary
from .evaluation import score_dictionary
from .joint import GeneralizedProcrustes
from .methods.adversarial import Adversarial
from .methods.contrastive import Contrastive
from .methods.expansion import Expansion
from .methods.multi_step import MultiStep
from .methods.optimal_transport import WassersteinProcrustes
from .methods.procrustes import Procrustes, orthogonal_map
from .methods.rcsls import RCSLS
from .methods.self_learning import SelfLearning
from .pivot import PivotHub, add_language, align_many
from .reranking.ranking import CandidateRanking, Reranker
from .restarts import Race, Restarts

__all__ = [
    "RCSLS",
    "Adversarial",
    "CandidateRanking",
    "Contrastive",
    "Expansion",
    "GeneralizedProcrustes",
    "MultiStep",
    "PivotHub",
    "Procrustes",
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
