"""When the stages of an operation are told: late while it is surely ours, at once when that is not sure any more."""

from __future__ import annotations

import dataclasses
import datetime
import threading
from typing import Any

import pytest

from compute import context as ctx
from compute import exception
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.objects.operation import InstanceUpdate, Operation, OperationError, OperationRef, StageBegan, Work
from compute.worker import job as module
from compute.worker.job import Job, Moment
from compute.worker.runner import Runner
from tests.clock import Clock
from tests.waiting import wait_until

NOW = datetime.datetime(2026, 1, 1)
REF = OperationRef(operation_id=1, kind='create', instance_uuid='u')
NIC = Nic(port_id='p', network_id='n', mac='fa:16:3e:00:00:01')


class Ledger:
    """Stands for the reporter: notes what is reported."""

    host = 'h1'
    kind, leg = 'create', 1

    def __init__(self, lease: float = 30.0) -> None:
        self._lease = lease
        self.said: list[tuple[str, Any, tuple[str, ...]]] = []
        self.stale = False
        self.told = threading.Event()

    def begin(self, context: Any, operation_id: int) -> Work:
        self.said.append(('begin', None, ()))
        operation = Operation(id=1, request_id='r', kind=self.kind, instance_uuid='u', stage='scheduling', leg=self.leg,
                              updated_at=NOW, lease_until=NOW + datetime.timedelta(seconds=self._lease))
        instance = Instance(uuid='u', project_id='p', user_id='x', name='n',
                            flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64))
        return Work(operation=operation, instance=instance, noted='networking')

    def progress(self, context: Any, operation_id: int, stage: str, update: Any, stages: Any, *,
                 once: bool = False) -> None:
        if self.stale:
            raise exception.Stale('another has it')
        self._note('progress', update, stages())
        self.told.set()

    def finish(self, context: Any, operation_id: int, leg: int, update: Any, carry: Any,
               stages: Any, *, undone: bool = False) -> None:
        self._note('finish', update, stages())

    def fail(self, context: Any, operation_id: int, error: Any, update: Any, stages: Any) -> None:
        self._note('fail', update, stages())

    def _note(self, what: str, update: Any, stages: tuple[StageBegan, ...]) -> None:
        assert all(each.ago >= 0 for each in stages)
        self.said.append((what, update, tuple(each.name for each in stages)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the module of jobs."""
    made = Clock()
    monkeypatch.setattr(module, 'time', made)
    return made


def begun(ledger: Ledger) -> Job:
    job = Job(ctx.internal(), REF, ledger)  # type: ignore[arg-type]
    job.begin()
    return job


def test_what_the_ledger_answers_is_there_once_it_has_begun() -> None:
    ledger = Ledger()
    job = Job(ctx.internal(), REF, ledger)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match='operation 1 has not begun'):
        job.work  # noqa: B018
    assert (job.ref, job.overdue()) == (REF, 0.0)
    job.begin()
    assert (job.work.operation.id, job.instance.uuid) == (1, 'u') and ledger.said == [('begin', None, ())]


def test_stages_travel_with_the_end() -> None:
    ledger = Ledger()
    job = begun(ledger)
    job.stage('networking')
    job.stage('block_device_mapping', InstanceUpdate(nics=(NIC,)))
    job.stage('spawning')
    job.finish(InstanceUpdate(vm_state='active'))
    assert ledger.said == [('begin', None, ()), (
        'finish', InstanceUpdate(vm_state='active', nics=(NIC,)), ('block_device_mapping', 'spawning'))]


@pytest.mark.parametrize(('leg', 'stage', 'told'), [
    (2, 'resize_finish', ('resize_finish',)), (2, 'resize_migrated', ()), (1, 'resize_migrating', ())])
def test_a_destination_tells_that_the_guest_may_run_there_before_it_does(leg: int, stage: str,
                                                                         told: tuple[str, ...]) -> None:
    """Else a conductor that loses this host would let the guest start at its source again: it would run twice."""
    ledger = Ledger()
    ledger.kind, ledger.leg = 'migrate', leg
    job = Job(ctx.internal(), dataclasses.replace(REF, kind='migrate'), ledger)  # type: ignore[arg-type]
    job.begin()
    job.stage(stage)
    assert ledger.said[1:] == ([('progress', None, told)] if told else [])


def test_a_destination_that_cannot_tell_it_does_not_start_the_guest() -> None:
    ledger = Ledger()
    ledger.kind, ledger.leg, ledger.stale = 'migrate', 2, True
    job = Job(ctx.internal(), dataclasses.replace(REF, kind='migrate'), ledger)  # type: ignore[arg-type]
    job.begin()
    with pytest.raises(exception.Stale):
        job.stage('resize_finish')


def test_a_failure_tells_what_was_not_told() -> None:
    ledger = Ledger()
    job = begun(ledger)
    job.stage('networking')
    job.stage('block_device_mapping', InstanceUpdate(nics=(NIC,)))
    job.fail(OperationError(), InstanceUpdate(nics=()))
    assert ledger.said[1:] == [('fail', InstanceUpdate(nics=()), ('block_device_mapping',))]


def test_after_a_pause_it_asks_before_it_acts(clock: Clock) -> None:
    ledger = Ledger()
    job = begun(ledger)
    job.stage('networking')
    clock.advance(11)
    ledger.stale = True
    with pytest.raises(exception.Stale):
        job.stage('spawning')
    assert job.current == 'networking'


def test_a_clock_that_stood_is_not_believed(clock: Clock) -> None:
    ledger = Ledger()
    job = begun(ledger)
    clock.wall += 11
    job.stage('block_device_mapping')
    assert ledger.said[1:] == [('progress', None, ('block_device_mapping',))]


def test_a_heartbeat_makes_it_sure_again(clock: Clock) -> None:
    ledger = Ledger()
    job = begun(ledger)
    clock.advance(11)
    job.confirm(Moment())
    job.stage('spawning')
    assert [said[0] for said in ledger.said] == ['begin']


def test_what_is_done_again_is_told_at_once() -> None:
    ledger = Ledger()
    job = begun(ledger)
    job.recovering = True
    job.stage('networking')
    job.stage('spawning')
    assert [said[2] for said in ledger.said] == [(), ('spawning',)]


class Slow:
    """A handler whose second stage lasts until it is told or cancelled."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self.undone = ledger, threading.Event()

    def run(self, job: Job) -> InstanceUpdate:
        job.stage('networking')
        job.stage('spawning')
        def told_or_cancelled() -> bool:
            job.check()
            return self._ledger.told.is_set()
        wait_until(told_or_cancelled, 'a word of the ledger')
        return InstanceUpdate()

    def undo(self, job: Job) -> None:
        self.undone.set()

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        return None


@pytest.mark.parametrize('stale', [False, True])
def test_a_stage_that_lasts_is_told_while_it_does(stale: bool) -> None:
    ledger = Ledger()
    ledger.stale = stale
    handler = Slow(ledger)
    runner = Runner(ledger, {'create': handler}, 1, 1)  # type: ignore[arg-type, dict-item]
    runner.submit(ctx.internal(), REF)
    wait_until(lambda: not runner.running(), 'the end of the work')
    runner.stop()
    told = [said[0] for said in ledger.said]
    assert (told, handler.undone.is_set()) == ((['begin'], True) if stale else (['begin', 'progress', 'finish'], False))


def test_an_answer_that_it_is_ours_counts_for_a_while() -> None:
    ledger = Ledger(lease=0.0)
    asked: list[int] = []
    ledger.holds = lambda number: not asked.append(number)  # type: ignore[attr-defined, func-returns-value]
    job = begun(ledger)
    job.sure()
    job._trust = 10.0
    job.sure()
    assert asked == [1]
