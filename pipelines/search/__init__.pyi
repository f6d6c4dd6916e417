from .capacity import CapacityPlan, capacity_plan
from .runners import LocalRunner, RayRunner
from .shards import build_index

__all__ = [
    "CapacityPlan",
    "LocalRunner",
    "RayRunner",
    "build_index",
    "capacity_plan",
]
