"""Change what may be changed without touching the guest: name, description, host name, access addresses, the pinned
zone."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from compute.api.schema import canonical_address
from compute.api.servers import show
from compute.db import instances
from compute.exception import Conflict
from compute.objects.instance import Instance
from compute.rest.call import Call

_COLUMNS = {'name': 'name', 'description': 'description', 'hostname': 'hostname'}
_ADDRESSES = {'accessIPv4': 'access_ip_v4', 'accessIPv6': 'access_ip_v6'}


def update(call: Call) -> Any:
    """Write the changes and show the server."""
    server: Instance = call.target
    values: dict[str, Any] = {column: call.body[key] or (None if key != 'name' else '')
                              for key, column in _COLUMNS.items() if key in call.body}
    if values.get('hostname', '') is None:
        del values['hostname']
    values.update({column: canonical_address(call.body[key]) for key, column in _ADDRESSES.items() if key in call.body})
    if 'pinned_availability_zone' in call.body:
        values['pinned_availability_zone'] = _zone(server, call.body['pinned_availability_zone'])

    def write(connection: Connection) -> Instance:
        if values:
            instances.update(connection, server.uuid, **values)
        if 'OS-DCF:diskConfig' in call.body:
            instances.merge_extra(connection, server.uuid, disk_config=call.body['OS-DCF:diskConfig'])
        return instances.get(connection, server.uuid)
    return {'server': show.one(call, call.app.db.transaction(write))}


def _zone(server: Instance, zone: str | None) -> str | None:
    """Return the new pin: none, or the zone that the server is in. :raises Conflict: any other."""
    if zone is None or zone == server.pinned_availability_zone:
        return zone
    if server.pinned_availability_zone is not None or zone != server.availability_zone:
        raise Conflict(f'pinned_availability_zone cannot become {zone!r}: server {server.uuid} is in '
                       f'{server.availability_zone!r} and pinned to {server.pinned_availability_zone!r}')
    return zone
