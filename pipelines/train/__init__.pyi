from .classifier import TextClassifier
from .contrastive import finetune_contrastive
from .distillation import distill
from .finetune import fine_tune
from .pretraining import pretrain
from .settings import ContrastiveSettings, DistillationSettings, FineTuning, PretrainingSettings
from .static import OwnTexts, StaticSettings, train_static
from .study import tune
from .transfer import few_shot, zero_shot

__all__ = [
    "ContrastiveSettings",
    "DistillationSettings",
    "FineTuning",
    "OwnTexts",
    "PretrainingSettings",
    "StaticSettings",
    "TextClassifier",
    "distill",
    "few_shot",
    "fine_tune",
    "finetune_contrastive",
    "pretrain",
    "train_static",
    "tune",
    "zero_shot",
]
