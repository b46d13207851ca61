"""The store of identity as the common exporter for OpenStack shows it. Users are counted, not named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import metrics
from compute.builtin.identity.db import tables as t

_MOST = 1000


def identity(database: Any) -> Iterator[metrics.Sample]:
    """Yield what the exporter shows of keystone."""
    def part(function: Any) -> Any:
        return lambda: database.read(lambda connection: list(function(connection)))
    return metrics.exported('openstack_identity', {'counts': part(_counts), 'domains': part(_domains),
                                                   'projects': part(_projects)})


def _counts(connection: Connection) -> Iterator[metrics.Sample]:
    for name in ('domains', 'projects', 'users', 'groups', 'regions'):
        number = connection.execute(sa.select(sa.func.count()).select_from(getattr(t, name))).scalar()
        yield f'openstack_identity_{name}', number or 0, ()


def _domains(connection: Connection) -> Iterator[metrics.Sample]:
    for row in connection.execute(sa.select(t.domains).order_by(t.domains.c.id).limit(_MOST)):
        yield 'openstack_identity_domain_info', 1, (row.id, row.name, row.description or '', _word(row.enabled))


def _projects(connection: Connection) -> Iterator[metrics.Sample]:
    for row in connection.execute(sa.select(t.projects).order_by(t.projects.c.id).limit(_MOST)):
        yield 'openstack_identity_project_info', 1, (
            row.id, row.name, row.domain_id, row.parent_id or '', 'false', _word(row.enabled), row.description or '')


def _word(value: object) -> str:
    return str(bool(value)).lower()
