"""How the controller's daemons are: up, degraded or down, with the reasons and what was measured.

A route of our own: clients parse the answer of os-services strictly, and it knows up and down only.
"""

from __future__ import annotations

from typing import Any

from compute.api.schema import STRING
from compute.api.times import precise
from compute.db import services
from compute.health import DOWN, STATES, UP
from compute.objects.host import Service
from compute.objects.value import now
from compute.policies import service_health as policy
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource
from compute.rest.versions import window

_LISTED = Query(fields(host=STRING, binary=STRING, state={'type': 'string', 'enum': list(STATES)}),
                strict=window('2.102'))


def view(service: Service, silent_after: float) -> dict[str, Any]:
    """Return a daemon. One that was not heard for ``silent_after`` seconds is down, whatever it said last."""
    state, reasons = service.health.get('state', UP), list(service.health.get('reasons', ()))
    if service.forced_down:
        state, reasons = DOWN, [_reason('forced_down', 'an administrator declared it down', None), *reasons]
    elif not service.is_up(now(), silent_after):
        silence = (now() - service.last_seen_at).total_seconds() if service.last_seen_at else None
        text = 'it has never been heard' if silence is None else f'it has not been heard for {silence:.0f} s'
        state, reasons = DOWN, [_reason('heartbeat', text, silence), *reasons]
    return {
        'id': service.uuid, 'host': service.host, 'binary': service.binary, 'zone': service.zone, 'state': state,
        'reasons': reasons, 'status': 'disabled' if service.disabled else 'enabled',
        'disabled_reason': service.disabled_reason, 'last_seen_at': precise(service.last_seen_at),
        'incarnation': service.incarnation, 'release': service.health.get('release')}


def _reason(probe: str, text: str, value: float | None) -> dict[str, Any]:
    return {'probe': probe, 'state': DOWN, 'reason': text, 'value': value, 'unit': 's'}


def index(call: Call) -> Any:
    """List daemons, by host, binary and state where asked."""
    found = call.app.db.read(lambda connection: services.page(
        connection, host=call.query.get('host') or None, binary=call.query.get('binary') or None))
    shown = [view(service, call.app.conf.conductor.service_down_time) for service in found]
    wanted = call.query.get('state')
    return {'service_health': [each for each in shown if wanted in (None, each['state'])]}


RESOURCE = Resource('service-health', (
    Op('GET', '/service-health', index, query=_LISTED, policy=policy.LIST),
))
