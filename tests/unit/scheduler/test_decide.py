"""The decision: ranking, draws, and the words of a refusal."""

from __future__ import annotations

import random
from typing import Any

from compute.scheduler import filters, weights
from compute.scheduler.decide import Rules, decide
from tests.unit.scheduler.making import make_conf, make_host, make_request


def rules(**more: Any) -> Rules:
    conf = make_conf()
    return Rules(filters=filters.load(conf), weights=weights.load(conf), **more)


def test_the_roomiest_come_first() -> None:
    hosts = [make_host(name, memory_mb_used=used) for name, used in (('a', 4096), ('b', 0), ('c', 2048), ('d', 8000))]
    decision = decide(hosts, make_request(), rules(keep=2), random.Random(1))
    assert [host.host for host in decision.ranked] == ['b', 'c']
    assert decision.considered == 4
    assert [(each.host, each.filter) for each in decision.rejections(9)] == [('d', 'RamFilter')]


def test_a_refusal_counts_reasons_and_names_hosts_in_the_details() -> None:
    hosts = [make_host(f'h{number}', memory_mb_used=5382 + number) for number in range(7)]
    hosts += [make_host(f'z{number}', availability_zone='west') for number in range(5)]
    decision = decide(hosts, make_request(memory_mb=4096, availability_zone='nova'), rules(), random.Random(1))
    error = decision.error(3)
    assert error.message == ('No valid host was found. 0 of 12 hosts fit: 7 lack RAM (needs 4096 MB, at most 2810 MB '
                             'free), 5 are in another availability zone')
    assert error.details['counts'] == {'AvailabilityZoneFilter': 5, 'RamFilter': 7}
    assert error.details['considered'] == 12
    assert error.details['rejections'][0] == {
        'host': 'h0', 'filter': 'RamFilter', 'reason': 'needs 4096 MB of RAM, 2810 of 8192 are free (ratio 1.0)'}
    assert len(error.details['rejections']) == 3
    assert error.hint == 'choose a flavor with less RAM, or delete servers'


def test_one_host() -> None:
    error = decide([make_host(service_disabled=True)], make_request(), rules(), random.Random(1)).error(9)
    assert error.message == 'No valid host was found. 0 of 1 host fits: 1 is disabled'


def test_no_host_at_all_says_what_to_do() -> None:
    error = decide([], make_request(), rules(), random.Random(1)).error(9)
    assert error.code == 'no_valid_host'
    assert 'no hypervisor host at all' in error.message
    assert error.hint is not None and 'compute-worker' in error.hint


def test_the_draw_takes_one_of_the_best() -> None:
    hosts = [make_host(f'h{number}', memory_mb_used=100 * number) for number in range(6)]
    dice = random.Random(7)
    decisions = [decide(hosts, make_request(), rules(keep=3, subset=4), dice) for _ in range(60)]
    assert {decision.ranked[0].host for decision in decisions} == {'h0', 'h1', 'h2', 'h3'}
    assert all(len({host.host for host in decision.ranked}) == 3 for decision in decisions)


def test_shuffle_mixes_equals_only() -> None:
    hosts = [make_host(f'h{number}') for number in range(4)] + [make_host('full', memory_mb_used=4000)]
    dice = random.Random(7)
    found = {decide(hosts, make_request(), rules(shuffle=True), dice).ranked[0].host for _ in range(60)}
    assert found == {'h0', 'h1', 'h2', 'h3'}
    assert decide(hosts, make_request(), rules(), dice).ranked[0].host == 'h0'


def test_the_decision_changes_nothing() -> None:
    host = make_host()
    before = repr(host)
    decide([host], make_request(), rules(), random.Random(1))
    assert repr(host) == before
