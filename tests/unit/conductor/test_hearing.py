"""When silence of a host proves that it is down."""

from __future__ import annotations

from compute.clock import ClockWatch
from compute.conductor.hearing import Hearing


class Clock:
    """Time as the test says."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def listening() -> tuple[Hearing, Clock]:
    clock = Clock()
    return Hearing(60, clock), clock


def listen(hearing: Hearing, clock: Clock, seconds: int) -> None:
    for _ in range(0, seconds, 10):
        clock.now += 10
        hearing.note()


def test_a_conductor_that_starts_has_to_listen_first() -> None:
    hearing, clock = listening()
    listen(hearing, clock, 50)
    assert not hearing.can_judge()
    listen(hearing, clock, 10)
    assert hearing.can_judge()


def test_a_short_gap_does_no_harm() -> None:
    hearing, clock = listening()
    listen(hearing, clock, 60)
    clock.now += 25
    assert hearing.can_judge()
    hearing.note()
    assert hearing.can_judge()


def test_after_an_outage_it_begins_anew() -> None:
    hearing, clock = listening()
    listen(hearing, clock, 60)
    clock.now += 31
    assert not hearing.can_judge()  # before anybody noticed that it is over
    hearing.note()
    assert not hearing.can_judge()
    listen(hearing, clock, 60)
    assert hearing.can_judge()


def test_a_wall_clock_that_was_set_proves_nothing_until_hosts_have_reported() -> None:
    clock, ahead = Clock(), [0.0]
    hearing = Hearing(60, clock, ClockWatch(lambda: clock() + ahead[0], clock))
    listen(hearing, clock, 60)
    assert hearing.can_judge()
    ahead[0] = 600.0
    assert not hearing.can_judge()
    listen(hearing, clock, 50)
    assert not hearing.can_judge()
    listen(hearing, clock, 10)
    assert hearing.can_judge()
