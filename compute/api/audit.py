"""What the last audit of the control plane found. A route of our own: no other cloud has it, no version changes it."""

from __future__ import annotations

from typing import Any

from compute.db import audits
from compute.objects.value import encode
from compute.policies import audit as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource


def show(call: Call) -> Any:
    """Show the last audit; null before the first."""
    report = call.app.db.read(audits.last)
    if report is None:
        return {'audit': None}
    findings = [{'code': each.code, 'message': each.message, 'about': each.about, 'evidence': each.evidence,
                 'fix': each.fix, 'fixable': each.fixable, 'done': each.done} for each in report.findings]
    return {'audit': {'started_at': report.started_at.isoformat(), 'finished_at': report.finished_at.isoformat(),
                      'by': report.by, 'looked_at': list(report.looked_at), 'findings': findings,
                      'not_looked_at': encode(report.unseen)}}


RESOURCE = Resource('audit', (Op('GET', '/audit', show, policy=policy.SHOW),))
