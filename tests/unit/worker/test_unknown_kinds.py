"""Operations of a kind that this host does not do: they fail, to be tried on another host, and leave nothing here."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from compute import context as ctx
from compute import exception
from compute.objects.operation import OperationError, OperationRef
from compute.worker.endpoints import HostOperations
from compute.worker.job import Job
from compute.worker.runner import Runner
from tests.unit.worker.test_runner import Handler, Recorder, idle, make, work
from tests.waiting import LONG

KIND = 'of_a_later_release'
# One that no release so far declares, and one that is declared but not done on this host.
each = pytest.mark.parametrize('kind', [KIND, 'stop'])


@each
@pytest.mark.parametrize('recover', [False, True])
def test_it_fails_and_leaves_nothing(kind: str, recover: bool, caplog: pytest.LogCaptureFixture) -> None:
    recorder, handler = Recorder(), Handler()
    runner = Runner(recorder, {'create': handler}, 4, 4)  # type: ignore[arg-type, dict-item]
    runner.submit(ctx.internal(), work(1, kind).operation.ref, recover=recover)
    error: OperationError = recorder.wait('fail')[2]
    idle(runner)
    assert (error.code, error.retryable, error.status, error.stage) == ('kind_unknown', True, 503, '')
    assert kind in error.message and error.hint
    assert [said[0] for said in recorder.said] == ['begin', 'fail']
    assert not handler.undone.is_set() and not runner.busy('u') and runner.newest() == {}
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_by_the_message_of_a_newer_conductor() -> None:
    recorder, runner = make({'create': Handler()})
    number = work(1, KIND).operation.id
    HostOperations(runner).begin(ctx.internal(), operation_id=number, kind=KIND, instance_uuid='u')
    assert recorder.wait('fail')[2].code == 'kind_unknown'
    idle(runner)


@each
def test_others_go_on(kind: str) -> None:
    """Also when it comes while something else runs on its server, or is cancelled before its turn."""
    begun, gate = threading.Event(), threading.Event()

    def run(job: Job) -> None:
        begun.set()
        assert gate.wait(LONG)
    recorder, runner = make({'create': Handler(run), 'start': Handler(), 'delete': Handler()})
    runner.submit(ctx.internal(), work(1).operation.ref)
    assert begun.wait(LONG)
    runner.submit(ctx.internal(), work(2, kind).operation.ref)
    runner.submit(ctx.internal(), work(3, 'start').operation.ref)
    runner.submit(ctx.internal(), work(4, kind, uuid='other').operation.ref)
    assert recorder.wait('fail')[:2] == ('fail', 4), 'the first waits for its server'
    gate.set()
    idle(runner)
    assert {said[:2] for said in recorder.said if said[0] in ('finish', 'fail')} == {
        ('finish', 1), ('fail', 2), ('finish', 3), ('fail', 4)}


@pytest.mark.parametrize('when', ['before it begins', 'before it is told'])
def test_one_that_is_no_longer_ours_is_left_alone(when: str) -> None:
    recorder, runner = make({})
    ref = work(1, KIND).operation.ref
    if when == 'before it begins':
        recorder.stale.add(1)
    else:
        def fail(*told: Any) -> None:
            raise exception.Stale('another has it')
        recorder.fail = fail  # type: ignore[method-assign]
    runner.submit(ctx.internal(), ref)
    idle(runner)
    assert [said[0] for said in recorder.said] == ([] if when == 'before it begins' else ['begin'])


def test_what_a_reference_says_of_it() -> None:
    ref = OperationRef(operation_id=7, kind=KIND, instance_uuid='u')
    assert str(ref) == f'operation 7 ({KIND} of u)'
