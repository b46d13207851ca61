"""A conductor that is told to stop hands back what it does not finish; another goes on at its next sweep."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

from compute.conductor import create
from compute.conductor.conductor import Conductor
from compute.conductor.reaper import Reaper
from compute.objects.operation import QUEUED, RUNNING
from tests.unit.conductor.making import USER, AtOnce, Controller
from tests.waiting import LONG, deadline, wait_until


def second(controller: Controller) -> Reaper:
    """Return the reaper of another conductor."""
    other = AtOnce(SimpleNamespace(**{**vars(controller.cloud), 'host': 'c2'}))  # type: ignore[arg-type]
    other.hearing.can_judge = lambda: True  # type: ignore[method-assign]
    return Reaper(other)


def test_what_is_not_done_is_taken_up_by_another_at_once(controller: Controller) -> None:
    conductor = Conductor(controller.cloud)  # type: ignore[arg-type]
    begun, gate = threading.Event(), threading.Event()

    def stuck(conductor: Any, context: Any, number: int) -> None:
        assert conductor.lease(number) is not None
        begun.set()
        gate.wait(LONG)
    held, waiting = controller.create(), controller.create()
    conductor.submit(stuck, USER, held.id)
    assert begun.wait(120)
    conductor._working[waiting.id] += 1  # what was in the queue of the pool and is forgotten with it
    try:
        assert controller.operation(held.id).state == RUNNING
        conductor.finish(deadline(0.1))
        assert [controller.operation(each.id).owner for each in (held, waiting)] == [None, None]
        assert second(controller).sweep() == 2
        assert {controller.operation(each.id).host for each in (held, waiting)} == {'a', 'b'}
        assert not conductor.db.transaction(lambda connection: conductor.holds(connection, held.id))
    finally:
        gate.set()


def test_what_is_done_in_time_is_not_handed_back(controller: Controller) -> None:
    conductor = Conductor(controller.cloud)  # type: ignore[arg-type]
    operation = controller.create()
    conductor.submit(create.place, USER, operation.id)
    conductor.finish(deadline())
    placed = controller.operation(operation.id)
    assert (placed.host, placed.owner, conductor.working()) == ('b', None, ())
    conductor.submit(create.place, USER, operation.id)  # a message that came late is not worked on, and not held
    assert conductor.working() == ()


def test_what_a_host_has_is_not_touched(controller: Controller) -> None:
    conductor = Conductor(controller.cloud)  # type: ignore[arg-type]
    operation = controller.create()
    conductor._working[operation.id] += 1
    controller.conductor.submit(create.place, USER, operation.id)
    handed_over = controller.operation(operation.id)
    conductor.finish(deadline(0))
    assert controller.operation(operation.id).lease_until == handed_over.lease_until
    assert handed_over.state in (QUEUED, RUNNING)


def test_another_sweeps_at_once(controller: Controller) -> None:
    other = second(controller)
    operation = controller.create()
    controller.overdue(operation.id)
    controller.reaper.sweep()
    controller.overdue(operation.id)
    assert other.sweep() == 0
    controller.reaper.stop()
    assert other.sweep() == 1


def test_who_waits_for_a_scheduler_does_not_let_others_begin(controller: Controller) -> None:
    conductor = Conductor(controller.cloud)  # type: ignore[arg-type]
    begun, gate, late = threading.Event(), threading.Event(), threading.Event()

    def stuck(conductor: Any, context: Any) -> None:
        begun.set()
        gate.wait(LONG)
    conductor.submit_placing((1,), stuck, USER)
    assert begun.wait(120)
    ending = threading.Thread(target=conductor.finish, args=(deadline(),))
    ending.start()
    wait_until(lambda: conductor._placing._executor._shutdown, 'the end of placing')
    conductor.submit(lambda *arguments: late.set(), USER, 2)
    gate.set()
    ending.join()
    assert not late.is_set()
