"""The runner and the undo of legs: what is undone here, what is reported of it, and what could not be undone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from compute import context as ctx
from compute import exception
from compute.objects.operation import UNDOING, InstanceUpdate, OperationError, Work
from compute.worker.job import Job
from compute.worker.runner import Runner
from tests.unit.worker.test_runner import Handler, Recorder, idle, work


class Reports(Recorder):
    """Notes what is reported of legs, too."""

    def __init__(self) -> None:
        super().__init__()
        self.legs: list[tuple[int, bool, InstanceUpdate]] = []

    def finish(self, context: Any, operation_id: int, leg: int, update: InstanceUpdate, carry: Any, stages: Any, *,
               undone: bool = False) -> None:
        self.legs.append((leg, undone, update))
        super().finish(context, operation_id, leg, update, carry, stages)


class Move(Handler):
    """Does what the test says at stages of a migration."""

    def __init__(self, stage: str, *, run: Exception | None = None, undo: Exception | None = None) -> None:
        super().__init__()
        self._stage, self._error, self._stuck = stage, run, undo
        self.undos = 0

    def run(self, job: Job) -> InstanceUpdate:
        job.stage(self._stage)
        if self._error is not None:
            raise self._error
        return InstanceUpdate(power_state=4)

    def undo(self, job: Job) -> None:
        self.undos += 1
        self.undone.set()
        if self._stuck is not None:
            raise self._stuck

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        return InstanceUpdate(power_state=1, vm_state='active')


def leg(number: int, state: str = 'running', stage: str = '') -> Work:
    """Return a migration at one of its legs."""
    made = work(1, 'migrate', stage=stage)
    made = dataclasses.replace(made, operation=dataclasses.replace(made.operation, leg=number, state=state))
    Recorder.works[1] = made
    return made


def run(handler: Handler, what: Work, patience: float = 0.0) -> Reports:
    recorder = Reports()
    runner = Runner(recorder, {'migrate': handler}, 4, 4, patience=patience)  # type: ignore[arg-type, dict-item]
    runner.submit(ctx.internal(), what.operation.ref)
    idle(runner)
    return recorder


@pytest.mark.parametrize('number', [1, 2])
def test_a_leg_is_undone_and_not_run(number: int) -> None:
    handler = Move('resize_migrating', run=AssertionError('it must not run'))
    recorder = run(handler, leg(number, UNDOING, 'resize_finish'))
    assert recorder.legs == [(number, True, InstanceUpdate(power_state=1, vm_state='active'))] and handler.undos == 1
    assert [said[0] for said in recorder.said] == ['begin', 'finish']


def test_a_leg_that_succeeds_is_not_undone() -> None:
    handler = Move('resize_migrating')
    recorder = run(handler, leg(1))
    assert recorder.legs == [(1, False, InstanceUpdate(power_state=4))] and handler.undos == 0


def test_an_undo_that_fails_is_reported_and_comes_again() -> None:
    handler = Move('resize_migrating', undo=exception.Failed('the disk is gone', code='disk_missing'))
    recorder = run(handler, leg(1, UNDOING, 'resize_finish'))
    error: OperationError = recorder.wait('fail')[2]
    assert (error.code, error.left_behind, recorder.legs) == ('disk_missing', False, [])


def test_an_undo_waits_for_what_does_not_answer() -> None:
    class Restarting(Move):
        def undo(self, job: Job) -> None:
            super().undo(job)
            if self.undos < 2:
                raise exception.Unavailable('libvirt does not answer')
    handler = Restarting('resize_migrating')
    recorder = run(handler, leg(1, UNDOING, 'resize_finish'), patience=60.0)
    assert handler.undos == 2 and [number for number, _, _ in recorder.legs] == [1]


def test_an_undo_that_is_no_longer_ours_is_not_reported() -> None:
    recorder = run(Move('resize_migrating', undo=exception.Stale('another has it')), leg(1, UNDOING, 'resize_finish'))
    assert [said[0] for said in recorder.said] == ['begin']


@pytest.mark.parametrize(('number', 'stage'), [(1, 'resize_migrating'), (2, 'resize_migrated'), (2, 'resize_finish')])
@pytest.mark.parametrize('undo', [None, exception.Failed('the disk is gone', code='disk_missing')])
def test_a_leg_that_fails_tells_whether_it_is_undone(number: int, stage: str, undo: Exception | None) -> None:
    """What is left the conductor lets be undone again, before the legs before it: no guest runs twice."""
    handler = Move(stage, run=exception.Failed('no room', code='disk_full'), undo=undo)
    error: OperationError = run(handler, leg(number)).wait('fail')[2]
    assert (error.code, error.stage, error.left_behind) == ('disk_full', stage, undo is not None)
