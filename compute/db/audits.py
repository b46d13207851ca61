"""The reports of the last audits."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db.tables import audits as table
from compute.objects.finding import AuditReport
from compute.objects.value import decode, encode

KEPT = 20


def keep(connection: Connection, report: AuditReport) -> None:
    """Add a report and forget the oldest."""
    added = connection.execute(table.insert().values(
        started_at=report.started_at, finished_at=report.finished_at, report=encode(report)))
    number = int((added.inserted_primary_key or (0,))[0])
    connection.execute(table.delete().where(table.c.id <= number - KEPT))


def last(connection: Connection) -> AuditReport | None:
    """Return the newest report, None before the first audit."""
    row = connection.execute(sa.select(table.c.report).order_by(table.c.id.desc()).limit(1)).first()
    report: AuditReport | None = decode(AuditReport | None, row.report if row is not None else None)
    return report
