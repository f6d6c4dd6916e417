from .auto import align, fit_dictionary
from .confidence import Confidence, assess_space
from .evaluation import LexiconReport, lexicon_report, score_dictionary
from .joint import GeneralizedProcrustes
from .methods.adversarial import Adversarial
from .methods.contrastive import Contrastive
from .methods.expansion import Expansion
from .methods.multi_step import MultiStep
from .methods.optimal_transport import WassersteinProcrustes
from .methods.procrustes import Procrustes
from .methods.rcsls import RCSLS
from .methods.self_learning import SelfLearning
from .pivot import PivotHub, align_many
from .reranking.ranking import Reranker
from .restarts import Race, Restarts
from .similarity import Analogies, SimilarityJudgements, analogy_accuracy, word_similarity

__all__ = [
    "RCSLS",
    "Adversarial",
    "Analogies",
    "Confidence",
    "Contrastive",
    "Expansion",
    "GeneralizedProcrustes",
    "LexiconReport",
    "MultiStep",
    "PivotHub",
    "Procrustes",
    "Race",
    "Reranker",
    "Restarts",
    "SelfLearning",
    "SimilarityJudgements",
    "WassersteinProcrustes",
    "align",
    "align_many",
    "analogy_accuracy",
    "assess_space",
    "fit_dictionary",
    "lexicon_report",
    "score_dictionary",
    "word_similarity",
]
