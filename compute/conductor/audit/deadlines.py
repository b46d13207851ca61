"""Every operation ends: none is past its deadline, none is without an owner for longer than a sweep of the reaper."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.db import ledger_audit
from compute.objects.finding import Finding
from compute.objects.value import now

_REAPER = 'see whether a conductor runs and what its reaper logs of this operation'


class Deadlines(Check):
    """The reaper takes both up within a sweep; where it does not, it does not run or cannot."""

    name = 'deadlines'
    rules = {
        'operation_past_deadline': Rule('An operation is open after its deadline', _REAPER, fixable=False),
        'operation_unattended': Rule('An operation is open and nobody holds it for longer than a sweep', _REAPER,
                                     fixable=False),
        'operations_compete': Rule('Several operations go on with one server at once',
                                   'see which of them its host works on; a delete of the server ends them all',
                                   fixable=False),
    }

    def find(self, look: Look) -> Iterable[Finding]:
        options = look.conf.conductor
        # A sweep may be cut off with its conductor: another one takes over after three intervals. What it then sends
        # has begin_timeout to be begun.
        sweep = options.reaper_interval * 5 + options.begin_timeout
        before = now() - datetime.timedelta(seconds=sweep)
        for row in look.read(lambda connection: ledger_audit.past_deadline(connection, before)):
            yield self.finding(
                'operation_past_deadline', f'operation {row.id} ({row.kind}) should have ended by {row.deadline_at}',
                about=_about(row), **_proof(row))
        for row in look.read(lambda connection: ledger_audit.unattended(connection, before)):
            yield self.finding(
                'operation_unattended', f'operation {row.id} ({row.kind}, stage {row.stage or "none"}) is held by '
                f'nobody since {row.lease_until}', steady=(row.lease_until, row.updated_at), about=_about(row),
                **_proof(row))
        for row in look.read(ledger_audit.competing):
            yield self.finding(
                'operations_compete', f'{row.count} operations go on with server {row.instance_uuid} at once',
                about={'server': row.instance_uuid}, steady=(row.first, row.last),
                first_operation=row.first, last_operation=row.last)


def _about(row: Any) -> dict[str, Any]:
    return {'operation': row.id, 'server': row.instance_uuid, 'host': row.host}


def _proof(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ('kind', 'state', 'stage', 'owner', 'incarnation', 'lease_until',
                                                  'deadline_at', 'created_at', 'updated_at')}
