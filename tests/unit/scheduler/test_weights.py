"""Each weight alone decides which of two hosts comes first."""

from __future__ import annotations

import random
from typing import Any

import pytest

from compute.scheduler import weights
from compute.scheduler.decide import Rules, decide
from tests.unit.scheduler.making import make_conf, make_group, make_host, make_request

OFF = {weight.option: 0.0 for weight in weights.WEIGHTS}

TABLE: list[tuple[str, float, dict[str, Any], dict[str, Any]]] = [
    ('ram_weight_multiplier', 1.0, {}, {'memory_mb_used': 1}),
    ('ram_weight_multiplier', -1.0, {'memory_mb_used': 1}, {}),
    ('cpu_weight_multiplier', 1.0, {}, {'vcpus_used': 1}),
    ('disk_weight_multiplier', 1.0, {}, {'disk_gb_used': 1}),
    ('io_ops_weight_multiplier', -1.0, {'io_ops': 1}, {'io_ops': 2}),
    ('build_failure_weight_multiplier', 1.0, {}, {'failed_builds': 1}),
    ('health_weight_multiplier', 1.0, {}, {'sickness': 1}),
    ('health_weight_multiplier', 1.0, {'sickness': 1}, {'sickness': 2}),
]


def first(option: str, multiplier: float, better: dict[str, Any], worse: dict[str, Any], **asked: Any) -> str:
    loaded = weights.load(make_conf(**{**OFF, option: multiplier}))
    hosts = [make_host('worse', **worse), make_host('better', **better)]
    decision = decide(hosts, make_request(**asked), Rules(filters=(), weights=loaded), random.Random(1))
    return decision.ranked[0].host


@pytest.mark.parametrize(('option', 'multiplier', 'better', 'worse'), TABLE)
def test_order(option: str, multiplier: float, better: dict[str, Any], worse: dict[str, Any]) -> None:
    assert first(option, multiplier, better, worse) == 'better'


@pytest.mark.parametrize(('option', 'policy', 'members'), [
    ('soft_affinity_weight_multiplier', 'soft-affinity', ('better', 'better', 'worse')),
    ('soft_anti_affinity_weight_multiplier', 'soft-anti-affinity', ('worse', 'worse', 'better'))])
def test_soft_groups(option: str, policy: str, members: tuple[str, ...]) -> None:
    assert first(option, 1.0, {}, {}, group=make_group(policy, *members)) == 'better'
    assert first(option, 1.0, {}, {}, group=make_group('other', *members)) == 'worse', 'equal hosts keep their order'


def test_every_weight_is_tried() -> None:
    tried = {row[0] for row in TABLE} | {'soft_affinity_weight_multiplier', 'soft_anti_affinity_weight_multiplier'}
    assert tried == {weight.option for weight in weights.WEIGHTS}


def test_a_multiplier_of_nothing_switches_off() -> None:
    assert weights.load(make_conf(**OFF)) == []


def test_a_failed_build_outweighs_everything_by_default() -> None:
    loaded = weights.load(make_conf())
    hosts = [make_host('large', failed_builds=1), make_host('small', memory_mb_used=6000, vcpus_used=14)]
    decision = decide(hosts, make_request(), Rules(filters=(), weights=loaded), random.Random(1))
    assert [host.host for host in decision.ranked] == ['small', 'large']


def test_a_degraded_host_comes_after_a_fuller_healthy_one_and_still_comes() -> None:
    loaded = weights.load(make_conf())
    hosts = [make_host('large', sickness=1), make_host('small', memory_mb_used=6000, vcpus_used=14)]
    decision = decide(hosts, make_request(), Rules(filters=(), weights=loaded), random.Random(1))
    assert [host.host for host in decision.ranked] == ['small', 'large']
