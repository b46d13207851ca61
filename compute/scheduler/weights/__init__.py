"""Weights: one class a file, listed here; a multiplier of 0 switches one off."""

from __future__ import annotations

from oslo_config import cfg

from compute.scheduler.weights.build_failure import BuildFailureWeight
from compute.scheduler.weights.cpu import CpuWeight
from compute.scheduler.weights.disk import DiskWeight
from compute.scheduler.weights.health import HealthWeight
from compute.scheduler.weights.io_ops import IoOpsWeight
from compute.scheduler.weights.ram import RamWeight
from compute.scheduler.weights.soft_affinity import SoftAffinityWeight
from compute.scheduler.weights.soft_anti_affinity import SoftAntiAffinityWeight
from compute.scheduler.weights.weight import Weight

WEIGHTS: tuple[type[Weight], ...] = (
    RamWeight, CpuWeight, DiskWeight, IoOpsWeight, BuildFailureWeight, HealthWeight, SoftAffinityWeight,
    SoftAntiAffinityWeight)


def load(conf: cfg.ConfigOpts) -> list[tuple[float, Weight]]:
    """Return (multiplier, weight) pairs of those that count."""
    pairs = [(float(conf.scheduler[weight.option]), weight()) for weight in WEIGHTS]
    return [pair for pair in pairs if pair[0]]
