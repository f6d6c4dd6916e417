"""Train encoders across languages: pre-training, contrastive fine-tuning, distillation, classification."""

from .bitext import BitextError, Pair, PairReport, Pairs, read_pairs, write_pairs
from .classification import FineTuning, FineTuningCost, estimate_finetuning, fine_tune
from .classifier import TextClassifier
from .contrastive import estimate_contrastive, finetune_contrastive
from .corpus import Corpus, as_corpus, read_corpus, sampling_shares
from .distillation import distill, estimate_distillation, project_onto_teacher
from .labelled import Labelled, LabelledWords, read_conll, read_labelled
from .pretraining import (
    NewModel,
    PretrainingCost,
    PretrainingResult,
    PretrainingSettings,
    estimate_pretraining,
    pretrain,
)
from .token_classification import span_f1
from .training_settings import CostEstimate, TrainingRun, TrainingSettings
from .transfer import TransferRow, TransferTable, few_shot, zero_shot
from .tuning import SearchSpace, Tuning, tune

__all__ = [
    "BitextError",
    "Corpus",
    "CostEstimate",
    "FineTuning",
    "FineTuningCost",
    "Labelled",
    "LabelledWords",
    "NewModel",
    "Pair",
    "PairReport",
    "Pairs",
    "PretrainingCost",
    "PretrainingResult",
    "PretrainingSettings",
    "SearchSpace",
    "TextClassifier",
    "TrainingRun",
    "TrainingSettings",
    "TransferRow",
    "TransferTable",
    "Tuning",
    "as_corpus",
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
    "read_conll",
    "read_corpus",
    "read_labelled",
    "read_pairs",
    "sampling_shares",
    "span_f1",
    "tune",
    "write_pairs",
    "zero_shot",
]
