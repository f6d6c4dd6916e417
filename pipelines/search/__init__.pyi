from .capacity import CapacityPlan, capacity_plan
from .preference import Preference, rerank_languages
from .runners import LocalRunner, RayRunner
from .shards import build_index

__all__ = [
    "CapacityPlan",
    "LocalRunner",
    "Preference",
    "RayRunner",
    "build_index",
    "capacity_plan",
    "rerank_languages",
]
