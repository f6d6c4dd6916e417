"""Encoding, mapping and indexing over shards, in one process or on a Ray cluster."""

from .build import BuildReport, build_index
from .capacity import Assumptions, CapacityPlan, capacity_plan
from .runners import LocalRunner, RayRunner, Runner

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
