"""A host that speaks of what is not its own is refused, and it is told in the log who it was and whose that is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compute import exception, metrics
from compute.conductor import create
from compute.objects.operation import InstanceUpdate, OperationError
from tests.unit.conductor.making import USER, Controller

REPORTS: dict[str, dict[str, Any]] = {
    'begin': {}, 'progress': {'stage': 'spawning'}, 'finish': {'update': InstanceUpdate(), 'leg': 1},
    'fail': {'error': OperationError(code='wrong', message='wrong')}}


def refused(call: Callable[[], Any], caplog: pytest.LogCaptureFixture) -> str:
    """Return the log line of a report that is refused."""
    caplog.clear()
    metrics.reset()
    with pytest.raises(exception.Stale) as caught:
        call()
    report = str(caplog.records[-1].args[0])  # type: ignore[index]
    reason = 'superseded' if isinstance(caught.value, exception.Superseded) else 'not_held'
    assert metrics.value('compute_reports_refused_total', report, reason) == 1
    line, = [record.message for record in caplog.records if record.levelname == 'WARNING']
    return line


@pytest.mark.parametrize('report', REPORTS)
def test_an_operation_of_another_host(controller: Controller, caplog: pytest.LogCaptureFixture, report: str) -> None:
    operation = controller.create()
    controller.conductor.submit(create.place, USER, operation.id)
    controller.begin(operation.id, 'b')
    line = refused(lambda: getattr(controller.reports, report)(
        USER, operation_id=operation.id, **REPORTS[report], **controller.who('a')), caplog)
    for part in (f'report {report} of host a', controller.incarnations['a'], f'operation {operation.id}',
                 'nova-compute@b', controller.incarnations['b']):
        assert part in line
    assert controller.operation(operation.id).owner == 'nova-compute@b'
    controller.finish(operation.id, 'b')


def test_an_operation_that_ended(controller: Controller, caplog: pytest.LogCaptureFixture) -> None:
    operation = controller.create()
    controller.conductor.submit(create.place, USER, operation.id)
    controller.begin(operation.id, 'b')
    controller.finish(operation.id, 'b')
    line = refused(lambda: controller.begin(operation.id, 'b'), caplog)
    assert f'operation {operation.id}' in line and 'it is done since' in line


@pytest.mark.parametrize('report', ['heartbeat', 'observed', 'instances'])
def test_a_worker_of_before(controller: Controller, caplog: pytest.LogCaptureFixture, report: str) -> None:
    before = controller.who('a')
    controller.add_host('a', 4096)
    more: dict[str, Any] = {'heartbeat': {'operations': ()}, 'observed': {'power_states': {}}, 'instances': {}}[report]
    line = refused(lambda: getattr(controller.reports, report)(USER, **more, **before), caplog)
    assert f'report {report} of host a' in line and before['incarnation'] in line and 'newer incarnation' in line
