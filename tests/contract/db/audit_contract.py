"""The auditor's questions and repairs on a store, whichever database it is."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from compute import conf as options
from compute.conductor.audit import RULES
from compute.conductor.audit.auditor import Auditor
from compute.conductor.audit.look import Look
from compute.db import instances, operations
from compute.db.session import Database
from compute.db.tables import claims as claims_table
from compute.db.tables import group_seats, operation_events, usages
from compute.db.tables import hosts as hosts_table
from compute.objects.finding import AuditReport
from compute.objects.operation import DONE, Operation
from compute.objects.request_spec import CURRENT, INCOMING, OUTGOING
from compute.objects.value import now
from tests.contract.db.stores import add_host, add_server

LONG_AGO = datetime.datetime(2020, 1, 1)
ALL = frozenset(code for code, rule in RULES.items() if rule.fixable)


def audit(database: Database) -> AuditReport:
    """Audit the store and fix what can be fixed."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    report = Auditor(Look(conf, database), 'me').run(0, ALL)
    assert report.unseen == ()
    return report


def spoil(database: Database) -> None:
    """Break every rule of the store."""
    first, second = add_host(database, 'one'), add_host(database, 'two')
    stale, elsewhere, busy, unshown, lost, resized = (add_server(database).instance_uuid for _ in range(6))

    def write(connection: sa.Connection) -> None:
        def opened(key: str, **values: Any) -> Operation:
            return operations.insert(connection, Operation(
                request_id='r', kind='stop', instance_uuid=key,
                **{'lease_until': now(), 'deadline_at': now() + datetime.timedelta(hours=1), **values}))
        instances.update(connection, stale, vm_state='active', task_state='rebooting', host='one')
        instances.update(connection, elsewhere, vm_state='active', host='two')
        for key in (busy, unshown, lost, resized):
            instances.update(connection, key, vm_state='active')
        for key, place, purpose in ((elsewhere, first, CURRENT), (str(uuid.uuid4()), second, CURRENT),
                                    (lost, 4711, CURRENT), (stale, second, INCOMING), (resized, second, OUTGOING)):
            connection.execute(claims_table.insert().values(
                instance_uuid=key, host_id=place, purpose=purpose, vcpus=1, memory_mb=1, disk_gb=1, created_at=now()))
        connection.execute(group_seats.insert().values(
            group_uuid=str(uuid.uuid4()), host_id=first, seat=0, instance_uuid=str(uuid.uuid4())))
        connection.execute(usages.insert().values(project_id='q', instances=7, cores=0, ram=0))
        opened(str(uuid.uuid4()))
        opened(unshown)
        old = opened(busy, deadline_at=LONG_AGO, lease_until=LONG_AGO)
        instances.update(connection, busy, operation_id=old.id, task_state='powering-off')
        done = opened(busy)
        operations.end(connection, done, DONE)
        connection.execute(operation_events.insert().values(operation_id=done.id, name='x', started_at=now()))
    database.transaction(write)


class AuditContract:
    """All that is asked of the store is understood, found, fixed, and then no more."""

    def test_all_is_found_and_what_can_be_is_fixed(self, database: Database) -> None:
        spoil(database)
        first = audit(database)
        assert {finding.code for finding in first.findings} == {
            'task_state_stale', 'operation_without_server', 'operation_unshown', 'operation_past_deadline',
            'operation_unattended', 'event_open', 'claim_elsewhere', 'claim_without_server', 'claim_without_host',
            'claim_unexplained', 'server_without_claim', 'seat_without_claim', 'host_usage_wrong', 'quota_usage_wrong'}
        by_hand = {'operation_past_deadline', 'operation_unattended'}
        assert {finding.code for finding in first.left} == by_hand
        assert {finding.code for finding in audit(database).left} == by_hand
        assert {finding.code for finding in audit(database).findings} == by_hand
        used = database.row(sa.select(hosts_table).where(hosts_table.c.host == 'one'))
        assert (used.memory_mb_used, used.running_vms) == (512, 1)
