from .classifier import TextClassifier
from .contrastive import finetune_contrastive
from .distillation import distill
from .finetune import fine_tune
from .pretraining import pretrain
from .settings import ContrastiveSettings, DistillationSettings, FineTuning, PretrainingSettings
from .study import tune
from .transfer import few_shot, zero_shot

__all__ = [
    "ContrastiveSettings",
    "DistillationSettings",
    "FineTuning",
    "PretrainingSettings",
    "TextClassifier",
    "distill",
    "few_shot",
    "fine_tune",
    "finetune_contrastive",
    "pretrain",
    "tune",
    "zero_shot",
]
