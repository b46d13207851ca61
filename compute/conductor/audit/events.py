"""The stages of an operation end with it: what a user sees of an ended action has an end, too."""

from __future__ import annotations

from collections.abc import Iterable

from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.db import ledger_audit
from compute.objects.finding import Finding


class Events(Check):
    """Events are closed by whoever ends their operation."""

    name = 'events'
    rules = {'event_open': Rule('A stage of an operation that ended is still open',
                                'close it at the time when its operation ended')}

    def find(self, look: Look) -> Iterable[Finding]:
        for row in look.read(ledger_audit.open_events):
            yield self.finding(
                'event_open', f'stage {row.name} of operation {row.operation_id}, which is {row.state}, did not end',
                about={'operation': row.operation_id, 'server': row.instance_uuid, 'host': row.host or None,
                       'event': row.id},
                stage=row.name, state=row.state, started_at=row.started_at, operation_finished_at=row.finished_at)

    def fix(self, look: Look, finding: Finding) -> str:
        closed = look.db.transaction(lambda connection: ledger_audit.close_events(
            connection, int(finding.about['operation'])))
        return f'{closed} stages were closed' if closed else ''
