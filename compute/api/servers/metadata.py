"""A server's metadata: all of it, or one key."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from compute.api.servers.fields import METADATA
from compute.api.servers.load import load
from compute.db import instances, quotas
from compute.exception import Conflict, Invalid, NotFound, OverQuota
from compute.objects.instance import Instance
from compute.policies import server_metadata as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_ALL = Body(None, fields(metadata=Required(METADATA)))
_ONE = Body(None, fields(meta=Required({**METADATA, 'minProperties': 1, 'maxProperties': 1})))
_CHANGEABLE = ('active', 'paused', 'suspended', 'stopped')


def index(call: Call) -> Any:
    """Show all."""
    return {'metadata': call.target.metadata}


def show(call: Call) -> Any:
    """Show one key. :raises NotFound:"""
    return {'meta': {call.path['key']: _value(call.target, call.path['key'])}}


def merge(call: Call) -> Any:
    """Add keys and change those that are there."""
    return {'metadata': _write(call, lambda old: {**old, **call.body['metadata']})}


def replace(call: Call) -> Any:
    """Set all, forgetting what is not named."""
    return {'metadata': _write(call, lambda old: call.body['metadata'])}


def put(call: Call) -> Any:
    """Set one key. :raises Invalid: the body names another."""
    meta = call.body['meta']
    if call.path['key'] not in meta:
        raise Invalid(f'meta names {next(iter(meta))!r} and the URL {call.path["key"]!r}: they must be the same')
    _write(call, lambda old: {**old, **meta})
    return {'meta': meta}


def delete(call: Call) -> None:
    """Remove one key. :raises NotFound:"""
    _value(call.target, call.path['key'])
    _write(call, lambda old: {key: value for key, value in old.items() if key != call.path['key']})


def check_changeable(verb: str, server: Instance) -> None:
    """Return if what users write on a server may change now. :raises Conflict: names the state."""
    if server.vm_state not in _CHANGEABLE:
        raise Conflict(f"Cannot '{verb}' instance {server.uuid} while it is in vm_state {server.vm_state}",
                       code='wrong_state')


def _value(instance: Instance, key: str) -> str:
    if key not in instance.metadata:
        raise NotFound(f'Metadata item {key!r} was not found on server {instance.uuid}')
    return instance.metadata[key]


def _write(call: Call, change: Any) -> dict[str, str]:
    def write(connection: Connection) -> dict[str, str]:
        server = instances.lock(connection, call.target.uuid)
        if server.locked and not call.context.is_admin:
            raise Conflict(f'Cannot update metadata of server {server.uuid}: it is locked', code='server_locked')
        check_changeable('update metadata of', server)
        wanted: dict[str, str] = change(server.metadata)
        limit = quotas.limits_of(connection, call.app.conf, server.project_id).get('metadata_items', -1)
        if 0 <= limit < len(wanted):
            raise OverQuota(f'Quota exceeded for metadata_items: Requested {len(wanted)}, the limit is {limit}')
        instances.update(connection, server.uuid, metadata=wanted)
        return wanted
    return call.app.db.transaction(write)


RESOURCE = Resource('server-metadata', (
    Op('GET', '/servers/{server_id}/metadata', index, policy=policy.INDEX, loads=load),
    Op('POST', '/servers/{server_id}/metadata', merge, policy=policy.CREATE, loads=load, body=_ALL),
    Op('PUT', '/servers/{server_id}/metadata', replace, policy=policy.UPDATE_ALL, loads=load, body=_ALL),
    Op('GET', '/servers/{server_id}/metadata/{key}', show, policy=policy.SHOW, loads=load),
    Op('PUT', '/servers/{server_id}/metadata/{key}', put, policy=policy.UPDATE, loads=load, body=_ONE),
    Op('DELETE', '/servers/{server_id}/metadata/{key}', delete, policy=policy.DELETE, loads=load, status=204),
))
