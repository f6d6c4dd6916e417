from .capacity import Assumptions, CapacityPlan, capacity_plan
from .runners import LocalRunner, RayRunner, Runner
from .shards import BuildReport, build_index

__all__ = [
    "Assumptions",
    "BuildReport",
    "CapacityPlan",
    "LocalRunner",
    "RayRunner",
    "Runner",
    "build_index",
    "capacity_plan",
]
