"""A wall clock that is set, seen against the monotonic one."""

from __future__ import annotations

import datetime

import pytest

from compute.clock import ClockWatch

START = 1_700_000_000.0


class Clocks:
    """A wall clock and a monotonic one, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.monotonic = START, 100.0
        self.watch = ClockWatch(lambda: self.wall, lambda: self.monotonic)

    def go_on(self, seconds: float) -> None:
        """Let time pass."""
        self.wall += seconds
        self.monotonic += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def moment(seconds: float) -> datetime.datetime:
    """Return a time as the store has it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).replace(tzinfo=None)


def test_a_clock_that_only_goes_on_is_steady(clocks: Clocks) -> None:
    clocks.go_on(3600)
    assert clocks.watch.look() == 0.0
    assert clocks.watch.was_steady(86400)


@pytest.mark.parametrize('jump', [600.0, -600.0, 5.1])
def test_a_clock_that_was_set_is_not_steady_until_the_time_is_over(clocks: Clocks, jump: float) -> None:
    clocks.go_on(10)
    clocks.wall += jump
    assert clocks.watch.look() == pytest.approx(jump)
    assert not clocks.watch.was_steady(60)
    clocks.go_on(59)
    assert clocks.watch.look() == 0.0, 'it is told once'
    assert not clocks.watch.was_steady(60)
    clocks.go_on(1)
    assert clocks.watch.was_steady(60)


def test_a_question_notices_by_itself(clocks: Clocks) -> None:
    clocks.wall += 600
    assert not clocks.watch.was_steady(60)


def test_what_ntp_corrects_is_not_noticed(clocks: Clocks) -> None:
    for _ in range(100):
        clocks.go_on(10)
        clocks.wall += 0.5
        assert clocks.watch.look() == 0.0
    assert clocks.watch.was_steady(1000)


def test_only_jumps_after_a_moment_count_for_it(clocks: Clocks) -> None:
    clocks.go_on(10)
    clocks.wall += 600
    clocks.watch.look()
    clocks.go_on(10)
    clocks.wall -= 100
    clocks.watch.look()
    clocks.go_on(10)
    clocks.wall += 50
    assert clocks.watch.set_forward_since(moment(START)) == datetime.timedelta(seconds=650)
    assert clocks.watch.set_forward_since(moment(START + 615)) == datetime.timedelta(seconds=0), \
        'the clock that was set back shows an earlier time when it is set forward again'
    assert clocks.watch.set_forward_since(moment(START + 525)) == datetime.timedelta(seconds=50)
    assert clocks.watch.set_forward_since(moment(START + 10_000)) == datetime.timedelta(0)
