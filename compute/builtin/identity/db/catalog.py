"""The service catalog, as a token of one user and project shows it."""

from __future__ import annotations

import logging
import re
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db.tables import endpoints, services
from compute.exception import Invalid

LOG = logging.getLogger(__name__)
_PART = re.compile(r'[$%]\(([^)]*)\)s')
_KNOWN = ('project_id', 'tenant_id', 'user_id')


def check_url(url: str) -> None:
    """Return if every part to be filled in is known. :raises Invalid:"""
    for name in _PART.findall(url):
        if name not in _KNOWN:
            raise Invalid(f'Malformed endpoint URL ({url}): {name!r} cannot be filled in; known are '
                          f'{", ".join(_KNOWN)}')


def catalog(connection: sa.Connection, user_id: str, project_id: str | None) -> list[dict[str, Any]]:
    """Return the enabled services with their enabled endpoints.

    An endpoint whose URL needs a project is left out when there is none.
    """
    values = {'user_id': user_id, 'project_id': project_id, 'tenant_id': project_id}
    query = sa.select(services.c.id, services.c.type, services.c.name, endpoints.c.id.label('endpoint_id'),
                      endpoints.c.interface, endpoints.c.region_id, endpoints.c.url).select_from(
        services.outerjoin(endpoints, sa.and_(endpoints.c.service_id == services.c.id,
                                              endpoints.c.enabled == sa.true()))).where(
        services.c.enabled == sa.true()).order_by(services.c.type, services.c.id, endpoints.c.interface, endpoints.c.id)
    found: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query):
        entry = found.setdefault(row.id, {'id': row.id, 'type': row.type, 'name': row.name or '', 'endpoints': []})
        if row.endpoint_id and (url := _fill(row.url, values)) is not None:
            entry['endpoints'].append({'id': row.endpoint_id, 'interface': row.interface, 'region': row.region_id,
                                       'region_id': row.region_id, 'url': url})
    return list(found.values())


def _fill(url: str, values: dict[str, str | None]) -> str | None:
    names = _PART.findall(url)
    if any(values.get(name) is None for name in names):
        return None
    return _PART.sub(lambda match: str(values[match.group(1)]), url)
