"""os-server-external-events: neighbours tell what became of a port or a volume of a server."""

from __future__ import annotations

import logging
from typing import Any

from compute.api.schema import STRING, UUID
from compute.control import external_events
from compute.db import instances
from compute.exception import Unavailable
from compute.objects.events import ExternalEvent
from compute.objects.instance import Instance
from compute.policies import external_events as policy
from compute.rest.call import Call
from compute.rest.fields import Between, Either, ListOf, Required, Since, Until, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.reply import Reply

LOG = logging.getLogger(__name__)
_FIRST = ['network-changed', 'network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted']
_NEEDS_TAG = ('volume-extended', 'volume-reimaged', 'power-update', 'accelerator-request-bound')


def _names(*more: str) -> dict[str, Any]:
    return {'type': 'string', 'enum': [*_FIRST, *more]}


_EVENT = fields({
    'server_uuid': Required(UUID), 'tag': {**STRING, 'maxLength': 255},
    'status': {'type': 'string', 'enum': ['failed', 'completed', 'in-progress']},
    'name': Either(
        Until('2.51', _names(), required=True),
        Between('2.51', '2.76', _names('volume-extended'), required=True),
        Between('2.76', '2.82', _names('volume-extended', 'power-update'), required=True),
        Between('2.82', '2.93', _names('volume-extended', 'power-update', 'accelerator-request-bound'), required=True),
        Since('2.93', _names(*_NEEDS_TAG), required=True)),
})
_BODY = Body(None, fields(events=Required(ListOf(_EVENT, {'minItems': 1}))))


def create(call: Call) -> Any:
    """Pass events on to the hosts of their servers, and have changed ports read; 207 when some could not be."""
    wanted = {event['server_uuid'] for event in call.body['events']}
    found = call.app.db.read(lambda connection: instances.of_uuids(connection, wanted))
    changed: set[str] = set()
    answers = [_pass_on(call, event, found.get(event['server_uuid']), changed) for event in call.body['events']]
    try:
        external_events.refresh(call.app, call.context, changed)
    except Unavailable as error:
        LOG.warning('the ports of %d servers wait for the next periodic refresh: %s', len(changed), error.message)
    return Reply({'events': answers}, status=200 if all(answer['code'] == 200 for answer in answers) else 207)


def _pass_on(call: Call, event: dict[str, Any], instance: Instance | None, changed: set[str]) -> dict[str, Any]:
    status = event.get('status', 'completed')
    answer = {'name': event['name'], 'server_uuid': event['server_uuid'], 'status': status, 'code': 200}
    if 'tag' in event:
        answer['tag'] = event['tag']
    refusal = 404 if instance is None else 422 if instance.host is None else 400 if (
        event['name'] in _NEEDS_TAG and not event.get('tag')) else None
    if refusal is not None or instance is None:
        return {**answer, 'status': 'failed', 'code': refusal or 404}
    value = ExternalEvent(instance_uuid=instance.uuid, name=event['name'], tag=event.get('tag', ''), status=status)
    if external_events.changes_network(instance, value):
        changed.add(instance.uuid)
    try:
        external_events.pass_on(call.app, call.context, instance, value)
    except Unavailable as error:
        LOG.warning('event %s of %s is not passed on now; the host will look: %s', value.name, instance.uuid,
                    error.message)
    return answer


RESOURCE = Resource('server-external-events', (
    Op('POST', '/os-server-external-events', create, policy=policy.CREATE, body=_BODY),
))
