"""The model notices each mutant of the ledger after a few given steps. The endurance set searches for such steps."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.db.mutants import MUTANTS, mutant
from tests.contract.db.test_ledger_sqlite import SqliteLedger

Step = tuple[str, dict[str, Any]]

# ``who`` and ``which`` count as the rules of ``ledger_machine.Ledger`` do: of conductors and of what was said or seen
# 0 is the newest, of workers 0 is that of host b and 1 that of host a; server 0 is on host a.
STOP: Step = ('stop', {'which': 0})
LOOK: Step = ('reaper_looks', {'who': 0})
ACT: Step = ('reaper_acts', {'which': 0})
REPLACE: Step = ('worker_starts', {'at': 'a'})
STEPS: dict[str, tuple[Step, ...]]


def wait(seconds: int) -> Step:
    return 'time_passes', {'seconds': seconds}


def lease(who: int) -> Step:
    return 'conductor_leases', {'who': who, 'which': 0}


def report(what: str, who: int) -> Step:
    return 'report', {'who': who, 'which': 0, 'what': what}


def bare(who: int, *, stops: bool) -> Step:
    return 'anybody_renews_or_hands_back_everything', {'who': who, 'stops': stops}


STEPS = {
    'a lease is taken before it runs out': (STOP, lease(0), lease(1)),
    'a lease that ran out is never taken': (STOP, lease(0), wait(31), lease(1)),
    'an ended operation is leased': (STOP, report('begin', 1), report('finish', 1), report('begin', 1)),
    'an old incarnation reports': (STOP, report('begin', 1), REPLACE, report('finish', 2)),
    'an old incarnation renews': (STOP, report('begin', 1), REPLACE, bare(2, stops=False)),
    'a reaper takes what moved since it looked': (STOP, wait(700), LOOK, report('begin', 1), ACT),
    'a reaper frees what moved since it looked': (STOP, wait(16), LOOK, report('begin', 1), ACT),
    'an operation ends twice': (
        STOP, wait(16), LOOK, ('delete', {'which': 0}), lease(0),
        ('conductor_goes_on', {'which': 0, 'how': 'hand over'}),
        ('work_goes_as_it_should', {'which': 0, 'ends': True}), ACT),
    'the reaper overlooks what is past its deadline': (STOP, wait(700), report('begin', 1), LOOK),
    'a conductor hands back what is another\'s': (STOP, lease(0), bare(0, stops=True)),
}


def replay(steps: tuple[Step, ...]) -> None:
    """Take steps on a new ledger. :raises AssertionError: its rows or answers differ from the model's."""
    machine = SqliteLedger()
    try:
        machine.begin_the_world()
        for rule, values in steps:
            getattr(machine, rule)(**values)
            machine.rows_are_what_the_model_says()
            machine.nobody_works_on_what_another_works_on()
    finally:
        machine.clock.remove()


def test_each_mutant_has_steps() -> None:
    assert set(STEPS) == set(MUTANTS)


@pytest.mark.parametrize('name', MUTANTS)
def test_a_mutant_is_noticed_and_the_ledger_is_not(name: str) -> None:
    replay(STEPS[name])
    with mutant(name), pytest.raises(AssertionError):
        replay(STEPS[name])
