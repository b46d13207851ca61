"""The judge of the soak: what it takes for a leak, and what not."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable

from compute.objects.value import now
from tests.endurance.soak.faults import GRACE, TROUBLES, Happened, Trouble, order
from tests.endurance.soak.journal import Failure
from tests.endurance.soak.judge import LONG, SHORT, growth, rule_of
from tests.endurance.soak.watch import Life, Sample

_SAMPLE = Sample(at=0, pss=80, private=80, threads=50, files=10, broker=5, database=6, http=4, closed=0)


def life(seconds: int, **grows: Callable[[int], float]) -> Life:
    """Return a process that lived for so long; ``grows`` gives what it held at each second."""
    return Life('api', 1, [dataclasses.replace(_SAMPLE, at=at, **{what: of(at) for what, of in grows.items()})
                           for at in range(0, seconds, 5)])


def too_much(one: Life, long: bool = True) -> list[str]:
    return [each.what for each in growth(one, LONG if long else SHORT) if each.too_much]


def test_what_comes_while_it_is_young_is_no_leak() -> None:
    assert too_much(life(1500, private=lambda at: 60 + min(at, 290) / 5, threads=lambda at: min(at, 250))) == []


def test_memory_that_goes_on_growing_is_seen() -> None:
    assert too_much(life(1500, private=lambda at: 80 + at / 100)) == ['MiB of memory']
    assert too_much(life(1500, private=lambda at: 80 + at / 1000)) == []
    assert too_much(life(120, private=lambda at: 80 + at / 3), long=False) == ['MiB of memory']


def test_one_peak_is_no_growth() -> None:
    peaks = life(1500, private=lambda at: 200 if at in (310, 1400) else 80, files=lambda at: 100 if at == 1490 else 10)
    assert too_much(peaks) == []


def test_whatever_is_not_given_back_is_seen() -> None:
    for what in ('threads', 'files', 'broker', 'database', 'http', 'closed'):
        assert too_much(life(1500, **{what: lambda at: 50 + at // 20})) == [what]
        assert too_much(life(120, **{what: lambda at: 5 + at * 2}), long=False) == [what]


def test_a_pool_that_fills_late_is_no_leak() -> None:
    late = life(1500, threads=lambda at: min(70 + at // 40, 107))
    assert too_much(dataclasses.replace(late, name='conductor2')) == []
    assert too_much(late) == ['threads'], 'another daemon has fewer pools'
    worse = life(1500, threads=lambda at: 70 + at // 20)
    assert too_much(dataclasses.replace(worse, name='conductor')) == too_much(worse) == ['threads']


def test_who_lived_too_short_is_not_judged() -> None:
    assert growth(life(400), LONG) == [] == growth(life(60), SHORT)
    assert len(growth(life(600), LONG)) == 7 == len(growth(life(120), SHORT))
    assert (rule_of(120), rule_of(1800)) == (SHORT, LONG)


def test_a_seed_repeats_the_faults() -> None:
    one, other, third = ([next(faults).name for faults in [order(seed, 9999)] for _ in range(30)] for seed in (1, 1, 2))
    assert one == other != third
    assert set(one[:len(TROUBLES)]) == {trouble.name for trouble in TROUBLES}
    short = order(1, 120)
    assert not any(next(short).slow for _ in range(60)) and any(trouble.slow for trouble in TROUBLES)
    assert {trouble.name for trouble in TROUBLES if trouble.early} == {
        'kill -9 identity', 'kill -9 image', 'kill -9 network', 'image service answers 500, then hangs'}


def _named(name: str) -> Trouble:
    return next(trouble for trouble in TROUBLES if trouble.name == name)


def test_only_what_a_fault_can_do_is_excused() -> None:
    begin = now()
    happened = Happened(_named('kill -9 api2'), begin, begin + datetime.timedelta(seconds=5))

    def excused(request: str, service: str, what: str, after: float) -> bool:
        at = begin + datetime.timedelta(seconds=after)
        return happened.excuses(Failure(request, service, at, at, what))
    assert excused('show', 'compute2', 'ConnectionError', 3)
    assert excused('show', 'compute2', 'ConnectionError', 5 + GRACE - 1)
    assert not excused('show', 'compute2', 'ConnectionError', 5 + GRACE + 1)
    assert not excused('show', 'compute', 'ConnectionError', 3)
    assert not excused('show', 'compute2', '500 internal', 3)
    assert not excused('show', 'compute2', '404 server_not_found', 3)


def test_only_what_a_fault_allows_may_fail() -> None:
    begin = now()
    happened = Happened(_named('disk full on a host'), begin, begin + datetime.timedelta(seconds=8))
    assert happened.allows('start', 'disk_full', begin, begin)
    assert not happened.allows('create', 'disk_full', begin, begin)
    assert not happened.allows('start', 'host_down', begin, begin)
    late = begin + datetime.timedelta(seconds=60)
    assert not happened.allows('start', 'disk_full', late, late)
