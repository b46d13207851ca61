"""The audit that happens by itself: every ``[conductor] audit_interval`` in one conductor at a time.

A finding is logged when it is new and when it is gone, not every time; the report is kept in the store, where
``GET /v2.1/audit`` shows it.
"""

from __future__ import annotations

import logging

from compute import metrics
from compute.conductor.audit import RULES
from compute.conductor.audit.auditor import Auditor, fixable
from compute.conductor.audit.look import Look
from compute.conductor.conductor import Conductor
from compute.db import audits, services
from compute.objects.finding import AuditReport

LOG = logging.getLogger(__name__)


class AuditTask:
    """:raises Invalid: ``[conductor] audit_fix`` names what cannot be fixed."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._fix = fixable(conductor.conf.conductor.audit_fix)

    def run(self) -> AuditReport | None:
        """Audit, if this conductor may; return what was found."""
        conductor, options = self._conductor, self._conductor.conf.conductor
        owner = f'{conductor.owner}#{conductor.incarnation}'
        if not conductor.db.transaction(lambda connection: services.take_lease(
                connection, 'auditor', owner, options.audit_interval * 2)):
            return None
        look = Look(conductor.conf, conductor.db, conductor.cloud.networks, conductor.rpc)
        report = Auditor(look, conductor.owner).run(options.audit_pause, self._fix)
        before = conductor.db.read(audits.last)
        conductor.db.transaction(lambda connection: audits.keep(connection, report))
        _tell(report, before)
        for code in RULES:
            metrics.set_value('compute_audit_findings', sum(each.code == code for each in report.left), code)
        return report


def _tell(report: AuditReport, before: AuditReport | None) -> None:
    """Log what is new and what is gone."""
    known = {finding.name for finding in before.left} if before is not None else set()
    left = {finding.name: finding for finding in report.left}
    for name, finding in left.items():
        if name not in known:
            LOG.warning('audit: %s: %s (%s: %s)', name, finding.message,
                        'compute-manage audit --fix would' if finding.fixable else 'to do', finding.fix)
    for name in sorted(known - set(left)):
        LOG.info('audit: %s is no more', name)
    missed = {(each.what, each.name) for each in before.unseen} if before is not None else set()
    for each in report.unseen:
        if (each.what, each.name) not in missed:
            LOG.warning('audit: %s %s was not looked at: %s', each.what, each.name, each.reason)
