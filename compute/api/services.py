"""The controller's daemons: list, enable, disable, declare down, forget.

To 2.52 a daemon is named by host and binary in the body and by a number for deletion; from 2.53 by its uuid.
"""

from __future__ import annotations

import re
import uuid as uuids
from collections.abc import Callable
from typing import Any

from compute.api.schema import BOOLEAN, HOST, STRING, is_true
from compute.api.times import precise
from compute.control import services as control
from compute.db import services
from compute.exception import Invalid, NotFound
from compute.objects.host import Service
from compute.objects.value import now
from compute.policies import services as policy
from compute.rest.call import Call
from compute.rest.fields import Required, Since, fields
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.versions import window

_REASON = {'type': 'string', 'minLength': 1, 'maxLength': 255}
_WHO = {'host': Required(HOST), 'binary': Required({'type': 'string', 'minLength': 1, 'maxLength': 255})}
# To 2.52 every change takes the same keys, also those that it does not read.
_BY_NAME = Body(None, fields(_WHO, disabled_reason=_REASON, forced_down=Since('2.11', BOOLEAN)))
_BY_UUID = Body(None, fields(status={'type': 'string', 'enum': ['enabled', 'disabled']}, disabled_reason=_REASON,
                             forced_down=BOOLEAN))
_SERVICE = fields(forced_down=Since('2.11', BOOLEAN))
_LISTED = Query(fields(host=STRING, binary=STRING), strict=window('2.75'))
_NUMBERED = {'numbered': window(until='2.53')}


def view(call: Call, service: Service) -> dict[str, Any]:
    """Return a daemon as the newest version shows it, under its number where the request is of before uuids."""
    up = service.is_up(now(), call.app.conf.conductor.service_down_time)
    return {
        'id': service.id if call.facts['numbered'] else service.uuid, 'binary': service.binary, 'host': service.host,
        'zone': service.zone, 'status': 'disabled' if service.disabled else 'enabled', 'state': 'up' if up else 'down',
        'updated_at': precise(service.last_seen_at or service.updated_at), 'disabled_reason': service.disabled_reason,
        'forced_down': service.forced_down}


def index(call: Call) -> Any:
    """List daemons, by host and binary where asked."""
    found = call.app.db.read(lambda connection: services.page(
        connection, host=call.query.get('host') or None, binary=call.query.get('binary') or None))
    return {'services': [view(call, service) for service in found]}


def update(call: Call) -> Any:
    """Change a worker by its uuid, and answer all of it."""
    service = _of_uuid(call)
    changed = control.update(call.app, service, **_changes(call.body))
    return {'service': view(call, changed)}


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    status, reason = body.get('status'), body.get('disabled_reason')
    values: dict[str, Any] = {}
    if reason is not None and status != 'disabled':
        raise Invalid(f"Specifying 'disabled_reason' when status is '{status}' is invalid; it goes with disabled.")
    if status is not None:
        values.update(disabled=status == 'disabled', disabled_reason=reason)
    if 'forced_down' in body:
        values['forced_down'] = is_true(body['forced_down'])
    if not values:
        raise Invalid("No updates were requested. Fields 'status' or 'forced_down' should be specified.")
    return values


def update_by_name(call: Call) -> Any:
    """Change a worker by host and binary; the last part of the URL says how. :raises NotFound: there is no such change.
    """
    name = call.path.get('id') or call.op.path.rpartition('/')[2]
    change = _CHANGES.get(name)
    if change is None or (change is _force_down and not call.facts['forces_down']):
        raise NotFound(f'Unknown action {name}', code='no_such_url')
    return change(call)


def _enable(call: Call) -> Any:
    return _named(call, {'disabled': False, 'disabled_reason': None}, status='enabled')


def _disable(call: Call) -> Any:
    return _named(call, {'disabled': True}, status='disabled')


def _disable_with_reason(call: Call) -> Any:
    reason = _given(call, 'disabled_reason')
    return _named(call, {'disabled': True, 'disabled_reason': reason}, status='disabled', disabled_reason=reason)


def _force_down(call: Call) -> Any:
    """Declare a worker down, so that its servers may be evacuated before its heartbeat is missed."""
    down = is_true(_given(call, 'forced_down'))
    return _named(call, {'forced_down': down}, forced_down=down)


_CHANGES: dict[str, Callable[[Call], Any]] = {
    'enable': _enable, 'disable': _disable, 'disable-log-reason': _disable_with_reason, 'force-down': _force_down}


def _given(call: Call, field: str) -> Any:
    if field not in call.body:
        raise Invalid(f'Missing {field} field')
    return call.body[field]


def _named(call: Call, values: dict[str, Any], **shown: Any) -> Any:
    host, binary = call.body['host'], call.body['binary']
    service = call.app.db.read(lambda connection: services.find(connection, host, binary))
    if service is None:
        raise NotFound(f'Could not find binary {binary} on host {host}.')
    control.update(call.app, service, **values)
    return {'service': {'host': host, 'binary': binary, **shown}}


def delete(call: Call) -> None:
    """Forget a daemon."""
    control.delete(call.app, _of_number(call) if call.facts['numbered'] else _of_uuid(call))


def _of_uuid(call: Call) -> Service:
    text = call.path['id']
    try:
        uuids.UUID(text)
    except ValueError:
        raise Invalid(f'Invalid uuid {text}') from None
    return call.app.db.read(lambda connection: services.get(connection, text))


def _of_number(call: Call) -> Service:
    text = call.path['id']
    if not re.fullmatch('[0-9]{1,18}', text):
        raise Invalid(f'Invalid service id {text}: it is no number')
    found = call.app.db.read(services.page)
    for service in found:
        if service.id == int(text):
            return service
    raise NotFound(f'Service {text} could not be found.')


_ONE = View('service', _SERVICE)

RESOURCE = Resource('os-services', (
    Op('GET', '/os-services', index, query=_LISTED, policy=policy.LIST, facts=_NUMBERED,
       view=View('services', _SERVICE, many=True)),
    Op('PUT', '/os-services/{id}', update, body=_BY_UUID, view=_ONE, policy=policy.UPDATE, facts=_NUMBERED,
       since='2.53'),
    *(Op('PUT', f'/os-services/{name}', update_by_name, body=_BY_NAME, policy=policy.UPDATE, until='2.53',
         facts={'forces_down': window('2.11')}) for name in ('{id}', *_CHANGES)),
    Op('DELETE', '/os-services/{id}', delete, status=204, policy=policy.DELETE, facts=_NUMBERED),
))
