"""The auditor: each rule finds what breaks it, fixes what can be fixed, and lets work under way alone."""

from __future__ import annotations

import datetime
import pathlib
import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from compute import exception, metrics
from compute.conductor import create
from compute.conductor.audit import CHECKS, RULES
from compute.conductor.audit.auditor import Auditor, fixable
from compute.conductor.audit.look import Look
from compute.conductor.audit.task import AuditTask
from compute.db import audits, server_groups
from compute.db.tables import claims, group_seats, hosts, instances, leases, operation_events, operations, usages
from compute.objects.finding import AuditReport, Finding
from compute.objects.operation import CANCELLED, DONE
from compute.objects.value import now
from tests.unit.conductor.making import LONG_AGO, USER, Controller

ALL = frozenset(code for code, rule in RULES.items() if rule.fixable)


@pytest.fixture
def controller(tmp_path: Any) -> Iterator[Controller]:
    """A conductor with one host; what a test broke is not asserted to be whole."""
    made = Controller(f'{tmp_path}/compute.sqlite')
    made.add_host('a', 8192)
    yield made
    made.db.dispose()


def built(controller: Controller, **changes: Any) -> str:
    """Return a server that runs on a."""
    operation = controller.create(**changes)
    controller.conductor.submit(create.place, USER, operation.id)
    controller.begin(operation.id, 'a')
    controller.reports.progress(USER, operation_id=operation.id, stage='spawning', **controller.who('a'))
    controller.finish(operation.id, 'a')
    return operation.instance_uuid


def audit(controller: Controller, fix: Any = (), between: Callable[[], None] = lambda: None) -> AuditReport:
    """Audit the store; ``between`` happens between the two looks."""
    return Auditor(Look(controller.conf, controller.db), 'me', wait=lambda pause: between()).run(0, fix)


def only(report: AuditReport) -> Finding:
    """Return the one finding."""
    finding, = report.findings
    return finding


def spoil(controller: Controller, statement: Any) -> None:
    """Write what nobody should write."""
    controller.db.transaction(lambda connection: connection.execute(statement))


def of(table: sa.Table, key: str) -> Any:
    """Return an update of the rows of a server."""
    return table.update().where(table.c[{'instances': 'uuid'}.get(table.name, 'instance_uuid')] == key)


def test_nothing_is_found_where_work_goes_on(controller: Controller) -> None:
    built(controller)
    queued, running, deleted = controller.create(), controller.create(), built(controller)
    controller.conductor.submit(create.place, USER, running.id)
    controller.begin(running.id, 'a')
    controller.delete(deleted)
    report = audit(controller)
    assert report.findings == () and report.unseen == () and set(report.looked_at) == {
        'deadlines', 'shown', 'events', 'capacity', 'quota'}
    assert controller.operation(queued.id).state == 'queued'


def test_an_operation_past_its_deadline(controller: Controller) -> None:
    operation = controller.create()
    controller.overdue(operation.id, deadline_at=LONG_AGO)
    finding = only(audit(controller, fix=ALL))
    assert finding.code == 'operation_past_deadline' and not finding.fixable and finding.done is None
    assert finding.about == {'operation': str(operation.id), 'server': operation.instance_uuid}
    assert finding.evidence['deadline_at'] == LONG_AGO and finding.evidence['kind'] == 'create'


@pytest.mark.parametrize(('ago', 'found'), [(5, False), (60, True)])
def test_an_operation_that_nobody_holds_for_longer_than_a_sweep(controller: Controller, ago: int, found: bool) -> None:
    operation = controller.create()
    since = now() - datetime.timedelta(seconds=ago)
    controller.overdue(operation.id, lease_until=since)
    report = audit(controller)
    assert [each.code for each in report.findings] == ['operation_unattended'] * found
    if found:
        assert report.findings[0].evidence['lease_until'] == since
        controller.overdue(operation.id)
        taken = audit(controller, between=lambda: controller.overdue(
            operation.id, lease_until=now() - datetime.timedelta(seconds=59)))
        assert taken.findings == ()  # it moved between the looks


def test_two_operations_on_one_server(controller: Controller) -> None:
    first, second = controller.create(), controller.create()
    spoil(controller, operations.update().where(operations.c.id == second.id).values(
        instance_uuid=first.instance_uuid))
    codes = {finding.code for finding in audit(controller).findings}
    assert codes == {'operations_compete', 'operation_unshown', 'server_never_built'}


def test_a_task_state_that_is_nobodys(controller: Controller) -> None:
    key = built(controller)
    spoil(controller, of(instances, key).values(task_state='rebooting'))
    finding = only(audit(controller))
    assert finding.code == 'task_state_stale' and finding.about == {'server': key, 'host': 'a'}
    assert finding.evidence['task_state'] == 'rebooting' and finding.evidence['vm_state'] == 'active'
    assert controller.instance(key).task_state == 'rebooting'  # nothing is fixed unasked
    assert only(audit(controller, fix=ALL)).done == 'it is active now, with no task_state'
    assert controller.instance(key).task_state is None and audit(controller).findings == ()


def test_a_task_state_that_becomes_somebodys_is_left(controller: Controller) -> None:
    """The fix looks again inside its transaction: an operation that was opened since the look is not disturbed."""
    key = built(controller)
    spoil(controller, of(instances, key).values(task_state='rebooting'))
    stale = only(audit(controller))
    spoil(controller, of(instances, key).values(task_state=None))
    operation = controller.delete(key)
    check = next(check() for check in CHECKS if stale.code in check.rules)
    assert check.fix(Look(controller.conf, controller.db), stale) == ''
    assert controller.instance(key).task_state == 'deleting' and controller.operation(operation.id).state == 'queued'


def test_a_server_that_nobody_builds(controller: Controller) -> None:
    operation = controller.create()
    spoil(controller, operations.update().values(state=CANCELLED, finished_at=now()))
    finding = only(audit(controller, fix=ALL))
    assert finding.code == 'server_never_built' and finding.done
    instance = controller.instance(operation.instance_uuid)
    assert (instance.vm_state, instance.task_state) == ('error', None)
    assert instance.fault is not None and instance.fault.reason == 'lost'
    assert audit(controller).findings == ()


def test_an_operation_that_its_server_does_not_show(controller: Controller) -> None:
    operation = controller.create()
    spoil(controller, of(instances, operation.instance_uuid).values(operation_id=None, task_state=None))
    finding = only(audit(controller, fix=ALL))
    assert finding.code == 'operation_unshown' and finding.evidence['shown_operation'] is None
    assert controller.instance(operation.instance_uuid).task_state == 'scheduling'
    assert audit(controller).findings == ()


def test_an_operation_of_a_server_that_is_gone(controller: Controller) -> None:
    operation = controller.create()
    spoil(controller, of(instances, operation.instance_uuid).values(deleted=True, operation_id=None))
    spoil(controller, usages.update().values(instances=0, cores=0, ram=0))
    finding = only(audit(controller, fix=ALL))
    assert finding.code == 'operation_without_server' and finding.done == 'it was cancelled'
    assert controller.operation(operation.id).state == CANCELLED and audit(controller).findings == ()


def test_a_stage_that_did_not_end_with_its_operation(controller: Controller) -> None:
    key = built(controller)
    spoil(controller, operation_events.update().where(operation_events.c.name == 'spawning').values(
        finished_at=None, result=None))
    finding = only(audit(controller, fix=ALL))
    assert finding.code == 'event_open' and finding.evidence['state'] == DONE and finding.about['server'] == key
    row = controller.db.row(sa.select(operation_events).where(operation_events.c.name == 'spawning'))
    assert row.result == 'Success' and row.finished_at == controller.newest(key).finished_at
    assert audit(controller).findings == ()


def test_use_that_is_not_the_sum_of_claims(controller: Controller) -> None:
    built(controller)
    spoil(controller, hosts.update().values(memory_mb_used=hosts.c.memory_mb_used + 7, running_vms=5))
    report = audit(controller, between=lambda: built(controller) and None)
    assert {(each.about['resource'], each.evidence['recorded'], each.evidence['counted'])
            for each in report.findings} == {('memory_mb', 2055, 2048), ('running_vms', 6, 2)}
    fixed = audit(controller, fix={'host_usage_wrong'})
    assert fixed.left == () and 'memory_mb_used: 2055 -> 2048' in (fixed.findings[0].done or '')
    assert audit(controller).findings == ()


@pytest.mark.parametrize(('code', 'values'), [('claim_without_host', {'host_id': 4711}),
                                              ('claim_without_server', {'instance_uuid': str(uuid.uuid4())})])
def test_a_claim_that_is_nobodys(controller: Controller, code: str, values: dict[str, Any]) -> None:
    key = built(controller)
    spoil(controller, of(claims, key).values(**values))
    first = audit(controller)
    assert {finding.code for finding in first.findings} >= {code, 'server_without_claim'}
    report = audit(controller, fix=ALL)
    assert report.left == ()
    for _ in range(2):  # what was freed changes what is counted: one fix may show the next
        report = audit(controller, fix=ALL)
    assert report.findings == () and controller.claimed(key) == ['a']


def test_a_claim_elsewhere_is_free_unless_something_moves_the_server(controller: Controller) -> None:
    controller.add_host('b')
    key = built(controller, host='a')
    spoil(controller, of(instances, key).values(host='b'))
    spoil(controller, of(instances, key).values(operation_id=4711))
    assert 'claim_elsewhere' not in {finding.code for finding in audit(controller).findings}
    spoil(controller, of(instances, key).values(operation_id=None))
    report = audit(controller, fix=ALL)
    assert {finding.code for finding in report.findings} == {'claim_elsewhere', 'server_without_claim'}
    assert report.left == () and controller.claimed(key) == ['b'] and audit(controller).findings == ()


def test_seats_go_with_claims_and_groups(controller: Controller) -> None:
    group = controller.db.transaction(lambda connection: server_groups.insert(
        connection, project_id='p1', user_id='ann', name='g', policy='anti-affinity'))
    key = built(controller, hints={'group': group})
    assert audit(controller).findings == ()
    stray, gone = str(uuid.uuid4()), str(uuid.uuid4())
    spoil(controller, group_seats.insert().values(group_uuid=group, host_id=4711, seat=0, instance_uuid=stray))
    spoil(controller, group_seats.insert().values(group_uuid=gone, host_id=1, seat=0, instance_uuid=key))
    report = audit(controller, fix=ALL)
    assert {finding.code for finding in report.findings} == {'seat_without_claim', 'seat_without_group'}
    assert report.left == ()
    spoil(controller, group_seats.delete())
    assert only(audit(controller, fix=ALL)).code == 'claim_without_seat'


def test_quota_that_is_not_what_a_project_has(controller: Controller) -> None:
    built(controller)
    spoil(controller, usages.update().values(cores=9, ram=0))
    spoil(controller, usages.insert().values(project_id='p2', instances=3, cores=0, ram=0))
    report = audit(controller, fix=ALL)
    assert {finding.about['project']: finding.done for finding in report.findings} == {
        'p1': 'cores: 9 -> 1, ram: 0 -> 1024', 'p2': 'instances: 3 -> 0'}
    spoil(controller, usages.delete())
    assert only(audit(controller, fix=ALL)).evidence['counted'] == {'instances': 1, 'cores': 1, 'ram': 1024}
    assert audit(controller).findings == ()


def test_a_check_that_cannot_look_is_told(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    spoil(controller, usages.insert().values(project_id='p2', instances=3, cores=0, ram=0))
    monkeypatch.setattr('compute.db.claims_audit.seats', lambda connection: 1 / 0)
    report = audit(controller)
    assert [(each.what, each.name) for each in report.unseen] == [('check', 'capacity')]
    assert only(report).code == 'quota_usage_wrong'


@pytest.mark.parametrize('code', ['nonsense', 'operation_past_deadline'])
def test_what_is_not_fixed_by_programs_is_refused(code: str) -> None:
    with pytest.raises(exception.Invalid, match=code):
        fixable([code])


def test_codes_belong_to_one_check_and_say_what_they_mean() -> None:
    codes = [code for check in CHECKS for code in check.rules]
    assert len(codes) == len(set(codes))
    assert all(rule.means and rule.fix for rule in RULES.values())


def task_of(controller: Controller, **options: Any) -> AuditTask:
    """Return a conductor's periodic audit, without hosts or neighbours to ask."""
    for name, value in {'audit_pause': 0, **options}.items():
        controller.conf.set_override(name, value, 'conductor')
    controller.cloud.networks = controller.conductor.rpc = None
    return AuditTask(controller.conductor)


def test_a_finding_is_told_when_it_comes_and_when_it_goes(controller: Controller,
                                                          caplog: pytest.LogCaptureFixture) -> None:
    key, task = built(controller), task_of(controller)
    spoil(controller, of(instances, key).values(task_state='rebooting'))
    caplog.set_level('INFO', logger='compute.conductor.audit.task')
    for _ in range(3):
        assert task.run() is not None
    spoil(controller, of(instances, key).values(task_state=None))
    task.run()
    told = [(record.levelname, record.message) for record in caplog.records if record.name.endswith('audit.task')]
    assert [level for level, _ in told] == ['WARNING', 'INFO'] and all(key in text for _, text in told)
    report = controller.db.read(audits.last)
    assert report is not None and report.findings == () and report.by == 'nova-conductor@c1'


def test_one_conductor_at_a_time_audits(controller: Controller) -> None:
    task = task_of(controller)
    assert task.run() is not None
    controller.conductor.incarnation = 'another'
    assert task.run() is None
    spoil(controller, leases.update().values(until=LONG_AGO))
    assert task.run() is not None


def test_an_audit_fixes_by_itself_what_it_is_told_to(controller: Controller) -> None:
    key = built(controller)
    task = task_of(controller, audit_fix=['task_state_stale'])
    spoil(controller, of(instances, key).values(task_state='rebooting'))
    spoil(controller, usages.update().values(cores=9))
    report = task.run()
    assert report is not None
    assert {finding.code: bool(finding.done) for finding in report.findings} == {
        'task_state_stale': True, 'quota_usage_wrong': False}
    kept = controller.db.read(audits.last)
    assert metrics.value('compute_audit_findings', 'quota_usage_wrong') == 1
    assert metrics.value('compute_audit_findings', 'task_state_stale') == 0
    assert kept is not None and [each.name for each in kept.left] == ['quota_usage_wrong project=p1']
    assert controller.instance(key).task_state is None
    with pytest.raises(exception.Invalid, match='guest_unknown'):
        task_of(controller, audit_fix=['guest_unknown'])


def test_the_page_for_operators_lists_every_code() -> None:
    page = (pathlib.Path(__file__).parents[3] / 'doc' / 'operations' / 'audit.rst').read_text()
    rows = re.findall(r'^   \* - (\w+)\n     - (.+)\n     - (.+)$', page, re.MULTILINE)
    assert [row for row in rows if row[0] != 'code'] == [
        (code, rule.means, rule.fix if rule.fixable else f'by hand: {rule.fix}') for code, rule in RULES.items()]
