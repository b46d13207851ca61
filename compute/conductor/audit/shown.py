"""What a server shows is what goes on with it: task_state and operation are of an open operation, and the other way."""

from __future__ import annotations

from collections.abc import Iterable

from compute import states
from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.conductor.ending import fault_of
from compute.db import ledger_audit, operations
from compute.objects.finding import Finding
from compute.objects.kinds import kind_of
from compute.objects.operation import CANCELLED, OperationError

_LOST = OperationError(code='lost', stage='', message='Nothing goes on with it any more: an audit found it so',
                       hint='delete it and create it again')
_GONE = OperationError(code='deleted', message='The server is gone', status=404)


class Shown(Check):
    """Both are written in one transaction, so at no moment may they differ."""

    name = 'shown'
    rules = {
        'task_state_stale': Rule('A server shows work with which no operation goes on',
                                 'clear its task_state, so that it can be used again'),
        'server_never_built': Rule('A server is being built and no operation does it',
                                   'put it in ERROR with the reason, so that it can be deleted'),
        'operation_unshown': Rule('A server does not show the operation that goes on with it',
                                  'let the server show it'),
        'operation_without_server': Rule('An operation is open and its server is gone', 'cancel the operation'),
    }

    def find(self, look: Look) -> Iterable[Finding]:
        for row in look.read(ledger_audit.idle_but_busy):
            built = row.vm_state != states.BUILDING
            yield self.finding(
                'task_state_stale' if built else 'server_never_built',
                f'server {row.uuid} is {row.vm_state} with task_state {row.task_state or "none"} and nothing goes on '
                'with it', steady=(row.task_state, row.operation_id, row.updated_at),
                about={'server': row.uuid, 'host': row.host}, vm_state=row.vm_state, task_state=row.task_state,
                shown_operation=row.operation_id, last_operation=row.last_operation, updated_at=row.updated_at)
        for row in look.read(ledger_audit.unshown):
            code = 'operation_without_server' if row.server is None else 'operation_unshown'
            shows = 'is gone' if row.server is None else (f'shows operation {row.shown or "none"} and task_state '
                                                          f'{row.task_state or "none"}')
            yield self.finding(
                code, f'operation {row.id} ({row.kind}) is {row.state}, its server {row.instance_uuid} {shows}',
                steady=(row.shown, row.task_state),
                about={'operation': row.id, 'server': row.instance_uuid, 'host': row.host}, kind=row.kind,
                state=row.state, stage=row.stage, owner=row.owner, shown_operation=row.shown,
                task_state=row.task_state, updated_at=row.updated_at)

    def fix(self, look: Look, finding: Finding) -> str:
        if finding.code in ('task_state_stale', 'server_never_built'):
            settled = look.db.transaction(lambda connection: ledger_audit.settle_server(
                connection, finding.about['server'], fault_of(_LOST)))
            return f'it is {settled} now, with no task_state' if settled else ''
        number = int(finding.about['operation'])
        if finding.code == 'operation_unshown':
            kind = kind_of(finding.evidence['kind'])
            stage = kind.stage(finding.evidence['stage'] or kind.first.name)
            shown = look.db.transaction(lambda connection: ledger_audit.show_operation(
                connection, number, stage.shows))
            return f'the server shows it, with task_state {stage.shows}' if shown else ''
        return 'it was cancelled' if self._cancel(look, number) else ''

    @staticmethod
    def _cancel(look: Look, number: int) -> bool:
        def cancel(connection: ledger_audit.Connection) -> bool:
            if not any(row.id == number and row.server is None for row in ledger_audit.unshown(connection)):
                return False
            return operations.end(connection, operations.get(connection, number), CANCELLED, _GONE)
        return look.db.transaction(cancel)
