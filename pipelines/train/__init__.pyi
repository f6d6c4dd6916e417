from .classifier import TextClassifier
from .contrastive import estimate_contrastive, finetune_contrastive
from .distillation import distill, estimate_distillation, project_onto_teacher
from .finetune import estimate_finetuning, fine_tune
from .pretraining import estimate_pretraining, pretrain
from .scores import span_f1
from .settings import (
    ContrastiveSettings,
    CostEstimate,
    DistillationSettings,
    FineTuning,
    FineTuningCost,
    NewModel,
    PretrainingCost,
    PretrainingResult,
    PretrainingSettings,
    SearchSpace,
    TrainingRun,
)
from .study import Tuning, tune
from .transfer import TransferRow, TransferTable, few_shot, zero_shot

__all__ = [
    "ContrastiveSettings",
    "CostEstimate",
    "DistillationSettings",
    "FineTuning",
    "FineTuningCost",
    "NewModel",
    "PretrainingCost",
    "PretrainingResult",
    "PretrainingSettings",
    "SearchSpace",
    "TextClassifier",
    "TrainingRun",
    "TransferRow",
    "TransferTable",
    "Tuning",
    "distill",
    "estimate_contrastive",
    "estimate_distillation",
    "estimate_finetuning",
    "estimate_pretraining",
    "few_shot",
    "fine_tune",
    "finetune_contrastive",
    "pretrain",
    "project_onto_teacher",
    "span_f1",
    "tune",
    "zero_shot",
]
