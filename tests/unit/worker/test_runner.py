"""The frame of operations on a host: one at a time for a server, undone on failure, silent when it was cancelled."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from compute import context as ctx
from compute import exception
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.kinds.kind import ACTIONS
from compute.objects.operation import InstanceUpdate, Operation, OperationError, Work
from compute.worker.job import Job, Moment
from compute.worker.runner import Runner
from tests.waiting import LONG, deadline, wait_until


class Recorder:
    """Stands for the conductor: notes reports, refuses operations in ``stale``."""

    host = 'h1'

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.stale: set[int] = set()
        self.ended = threading.Condition()

    def begin(self, context: Any, operation_id: int) -> Work:
        self._refuse(operation_id)
        self.said.append(('begin', operation_id))
        return self.works[operation_id]

    works: dict[int, Work] = {}

    def progress(self, context: Any, operation_id: int, stage: str, update: Any, stages: Any, *,
                 once: bool = False) -> None:
        self._refuse(operation_id)
        self.said.append(('progress', operation_id, stage))

    def finish(self, context: Any, operation_id: int, leg: int, update: InstanceUpdate, carry: Any,
               stages: Any, *, undone: bool = False) -> None:
        self._refuse(operation_id)
        self._say(('finish', operation_id))

    def fail(self, context: Any, operation_id: int, error: OperationError, update: Any, stages: Any) -> None:
        self._say(('fail', operation_id, error))

    def holds(self, operation_id: int) -> bool:
        return operation_id not in self.stale

    def _say(self, what: tuple[Any, ...]) -> None:
        with self.ended:
            self.said.append(what)
            self.ended.notify_all()

    def _refuse(self, operation_id: int) -> None:
        if operation_id in self.stale:
            raise exception.Stale('not yours')

    def wait(self, kind: str) -> tuple[Any, ...]:
        with self.ended:
            assert self.ended.wait_for(lambda: any(said[0] == kind for said in self.said), LONG), self.said
        return next(said for said in self.said if said[0] == kind)


class Handler:
    """Does what the test says."""

    def __init__(self, run: Any = None) -> None:
        self._run, self.undone = run, threading.Event()

    def run(self, job: Job) -> InstanceUpdate:
        job.stage('deleting' if job.ref.kind == 'delete' else 'networking')
        if self._run:
            self._run(job)
        return InstanceUpdate()

    def undo(self, job: Job) -> None:
        self.undone.set()

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        return None


def work(number: int, kind: str = 'create', uuid: str = 'u', stage: str = '') -> Work:
    instance = Instance(uuid=uuid, project_id='p', user_id='x', name='n',
                        flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64))
    made = Work(operation=Operation(id=number, request_id='r', kind=kind, instance_uuid=uuid, stage=stage,
                                    leg=int(kind == 'create')),
                instance=instance)
    Recorder.works[number] = made
    return made


def make(handlers: dict[str, Handler]) -> tuple[Recorder, Runner]:
    recorder = Recorder()
    return recorder, Runner(recorder, handlers, 4, 4)  # type: ignore[arg-type]


def idle(runner: Runner) -> None:
    wait_until(lambda: not runner.running(), 'the end of all work')


def test_success() -> None:
    recorder, runner = make({'create': Handler()})
    runner.submit(ctx.internal(), work(1).operation.ref)
    recorder.wait('finish')
    assert [said[0] for said in recorder.said] == ['begin', 'progress', 'finish']
    idle(runner)


@pytest.mark.parametrize(('error', 'code', 'retryable'), [
    (exception.Retry('full', code='disk_full'), 'disk_full', True),
    (exception.Failed('corrupt', code='image_corrupt'), 'image_corrupt', False),
    (ValueError('surprise'), 'internal', True)])
def test_failure_is_undone_and_told(error: Exception, code: str, retryable: bool) -> None:
    def run(job: Job) -> None:
        raise error
    handler = Handler(run)
    recorder, runner = make({'create': handler})
    runner.submit(ctx.internal(), work(1).operation.ref)
    told: OperationError = recorder.wait('fail')[2]
    assert handler.undone.is_set()
    assert (told.code, told.retryable, told.stage) == (code, retryable, 'networking')
    assert 'surprise' not in told.message


def test_the_same_message_twice_runs_once() -> None:
    gate = threading.Event()
    recorder, runner = make({'create': Handler(lambda job: gate.wait(LONG))})
    for _ in range(2):
        runner.submit(ctx.internal(), work(1).operation.ref)
    gate.set()
    recorder.wait('finish')
    idle(runner)
    assert [said[0] for said in recorder.said].count('begin') == 1


def test_one_at_a_time_for_a_server() -> None:
    gate, begun = threading.Event(), threading.Event()

    def first(job: Job) -> None:
        begun.set()
        gate.wait(LONG)
    recorder, runner = make({'start': Handler(), 'create': Handler(first)})
    runner.submit(ctx.internal(), work(1).operation.ref)
    assert begun.wait(LONG)
    works = work(2, 'start')
    runner.submit(ctx.internal(), works.operation.ref)
    assert ('begin', 2) not in recorder.said
    gate.set()
    idle(runner)
    assert recorder.said.index(('finish', 1)) < recorder.said.index(('begin', 2))


def test_a_delete_makes_a_build_give_way() -> None:
    begun = threading.Event()

    def build(job: Job) -> None:
        begun.set()
        assert job.cancelled.wait(120)
        job.check()
    handler = Handler(build)
    recorder, runner = make({'create': handler, 'delete': Handler()})
    runner.submit(ctx.internal(), work(1).operation.ref)
    assert begun.wait(LONG)
    runner.submit(ctx.internal(), work(2, 'delete').operation.ref)
    assert recorder.wait('finish') == ('finish', 2)
    assert handler.undone.is_set() and not any(said[0] == 'fail' for said in recorder.said)


def test_an_operation_that_is_not_ours_is_left_alone() -> None:
    handler = Handler()
    recorder, runner = make({'create': handler})
    recorder.stale.add(1)
    runner.submit(ctx.internal(), work(1).operation.ref)
    idle(runner)
    assert recorder.said == [] and not handler.undone.is_set()


def test_before_it_changes_anything_it_is_sure_that_the_operation_is_still_its_own() -> None:
    changed: list[bool] = []

    def run(job: Job) -> None:
        recorder.stale.add(1)  # what a process finds that was paused here
        job.sure()
        changed.append(True)
    handler = Handler(run)
    recorder, runner = make({'create': handler})
    runner.submit(ctx.internal(), work(1).operation.ref)
    idle(runner)
    assert not changed and not any(said[0] in ('finish', 'fail') for said in recorder.said)


def test_an_operation_that_was_leased_while_a_heartbeat_was_answered_is_not_lost() -> None:
    """The heartbeat asked for it when it was not leased yet: "not yours" was true then. The next one is believed."""
    gate, begun = threading.Event(), threading.Event()

    def run(job: Job) -> None:
        begun.set()
        gate.wait(LONG)
        job.check()
    handler = Handler(run)
    recorder, runner = make({'create': handler})
    before = Moment()
    runner.submit(ctx.internal(), work(1).operation.ref)
    assert begun.wait(LONG)
    runner.heard((1,), (1,), before)
    gate.set()
    recorder.wait('finish')
    idle(runner)
    assert not handler.undone.is_set()
    gate.clear()
    begun.clear()
    runner.submit(ctx.internal(), work(2).operation.ref)
    assert begun.wait(LONG)
    runner.heard((2,), (2,), Moment())
    gate.set()
    assert handler.undone.wait(120)


def test_recovery_undoes_a_stage_that_may_not_be_repeated() -> None:
    # The ledger's stage may be behind: after any that a host began with, the next ones may have been reached as well.
    for stage, undone in (('spawning', True), ('networking', True), ('scheduling', False)):
        handler = Handler()
        recorder, runner = make({'create': handler})
        runner.submit(ctx.internal(), work(1, stage=stage).operation.ref, recover=True)
        recorder.wait('finish')
        assert handler.undone.is_set() is undone


def test_one_that_can_go_on_is_not_undone_before() -> None:
    class Going(Handler):
        went_on = False

        def recover(self, job: Job) -> None:
            self.went_on = True
    handler = Going()
    recorder, runner = make({'create': handler})
    runner.submit(ctx.internal(), work(1, stage='spawning').operation.ref, recover=True)
    recorder.wait('finish')
    assert handler.went_on and not handler.undone.is_set()


def test_a_neighbour_that_restarts_delays_and_does_not_fail() -> None:
    calls: list[bool] = []

    def run(job: Job) -> None:
        calls.append(job.recovering)
        if len(calls) < 3:
            raise exception.Unavailable('the network service does not answer')
    handler = Handler(run)
    recorder = Recorder()
    runner = Runner(recorder, {'create': handler}, 4, 4, patience=20)  # type: ignore[arg-type,dict-item]
    runner.submit(ctx.internal(), work(1).operation.ref)
    recorder.wait('finish')
    assert calls == [False, True, True] and not handler.undone.is_set()


def test_patience_ends() -> None:
    def run(job: Job) -> None:
        raise exception.Unavailable('the network service does not answer', code='network_unavailable')
    recorder = Recorder()
    runner = Runner(recorder, {'create': Handler(run)}, 4, 4, patience=0.6)  # type: ignore[arg-type,dict-item]
    runner.submit(ctx.internal(), work(1).operation.ref)
    told = recorder.wait('fail')[2]
    assert (told.code, told.retryable) == ('network_unavailable', True)


@pytest.mark.parametrize(('refusal', 'undone', 'lost'), [
    (exception.Stale('cancelled'), True, True), (exception.Superseded('a newer one'), False, False)])
def test_a_worker_that_was_replaced_touches_nothing(refusal: exception.Stale, undone: bool, lost: bool) -> None:
    jobs: list[Job] = []

    def run(job: Job) -> None:
        jobs.append(job)
        raise refusal
    handler = Handler(run)
    recorder, runner = make({'create': handler})
    runner.submit(ctx.internal(), work(1).operation.ref)
    idle(runner)
    assert handler.undone.is_set() is undone and jobs[0].lost is lost
    assert not any(said[0] in ('finish', 'fail') for said in recorder.said)


def test_a_failure_on_work_that_was_given_to_another_is_kept_quiet() -> None:
    recorder = Recorder()

    def run(job: Job) -> None:
        recorder.stale.add(1)
        raise exception.Retry('the guest exists')
    handler = Handler(run)
    runner = Runner(recorder, {'create': handler}, 4, 4)  # type: ignore[arg-type,dict-item]
    runner.submit(ctx.internal(), work(1).operation.ref)
    idle(runner)
    assert handler.undone.is_set() and not any(said[0] == 'fail' for said in recorder.said)


def test_a_full_disk_is_named() -> None:
    def run(job: Job) -> None:
        raise OSError(28, 'No space left on device')
    recorder, runner = make({'create': Handler(run)})
    runner.submit(ctx.internal(), work(1).operation.ref)
    told = recorder.wait('fail')[2]
    assert (told.code, told.retryable) == ('disk_full', True) and 'No space left' in told.message


def test_a_stop_lets_running_work_end_and_drops_what_waits() -> None:
    gate, begun = threading.Event(), threading.Event()

    def run(job: Job) -> None:
        begun.set()
        gate.wait(LONG)
    recorder = Recorder()
    runner = Runner(recorder, {'create': Handler(run)}, 1, 1)  # type: ignore[arg-type]
    runner.submit(ctx.internal(), work(1, uuid='a').operation.ref)
    assert begun.wait(LONG)
    runner.submit(ctx.internal(), work(2, uuid='b').operation.ref)
    with ThreadPoolExecutor(1) as pool:
        ended = pool.submit(runner.finish, deadline())
        wait_until(lambda: runner._pools[ACTIONS]._executor._shutdown, 'the stop')
        assert not ended.done()
        gate.set()
        assert ended.result()
    assert [said[:2] for said in recorder.said] == [('begin', 1), ('progress', 1), ('finish', 1)]
    runner.submit(ctx.internal(), work(3, uuid='c').operation.ref)
    assert ('begin', 3) not in recorder.said


def test_what_a_stop_cuts_off_is_neither_failed_nor_undone() -> None:
    gate, begun = threading.Event(), threading.Event()

    def run(job: Job) -> None:
        begun.set()
        gate.wait(LONG)
        raise exception.Failed('the connection to the hypervisor was closed')
    handler = Handler(run)
    recorder, runner = make({'create': handler})
    runner.submit(ctx.internal(), work(1).operation.ref)
    assert begun.wait(LONG)
    assert not runner.finish(deadline(0.1))
    assert runner.running() == (1,)
    runner.stop()
    gate.set()
    idle(runner)
    assert not handler.undone.is_set()
    assert [said[0] for said in recorder.said] == ['begin', 'progress']


@pytest.mark.parametrize(('stage', 'code', 'retryable'), [
    ('networking', 'unavailable', True), ('spawning', 'guest_left_behind', False)])
def test_what_could_not_be_undone_is_not_made_a_second_time_elsewhere(stage: str, code: str, retryable: bool) -> None:
    """The guest may run here, with the same addresses."""
    def run(job: Job) -> None:
        job.stage(stage)
        raise exception.Unavailable('libvirt does not answer')

    class Stuck(Handler):
        def undo(self, job: Job) -> None:
            raise exception.Unavailable('libvirt does not answer')
    recorder, runner = make({'create': Stuck(run)})
    runner.submit(ctx.internal(), work(1).operation.ref)
    error = recorder.wait('fail')[2]
    assert (error.code, error.retryable, error.stage) == (code, retryable, stage)
    idle(runner)
