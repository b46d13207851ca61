"""What was done to a server, and how far each step of it came: the ledger's operations and their events."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from typing import Any

from oslo_utils import timeutils

from compute.api.schema import STRING, TIME
from compute.api.times import precise
from compute.db import instances, operations
from compute.exception import Invalid, NotFound
from compute.objects.instance import Instance
from compute.objects.kinds import verb_of
from compute.objects.operation import FAILED, Operation, OperationEvent
from compute.policies import instance_actions as policy
from compute.rest.call import Call
from compute.rest.fields import ListOf, Since, fields
from compute.rest.op import Op, Query, Resource, View
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import window

_ACTION = fields(updated_at=Since('2.58', STRING), events=ListOf(fields(
    hostId=Since('2.62', STRING), host=Since('2.62', STRING), details=Since('2.84', STRING))))
_LISTED = Query(fields({'changes-since': Since('2.58', TIME), 'changes-before': Since('2.66', TIME)},
                       limit=Since('2.58', LIMIT), marker=Since('2.58', STRING)), strict=window('2.58'))
_FACTS = {'of_deleted': window('2.21'), 'pages': window('2.58'), 'events_for_all': window('2.51')}


def load(call: Call) -> Instance:
    """Return the server of the URL; from 2.21 also one that was deleted."""
    return call.app.db.read(lambda connection: instances.get(
        connection, call.path['server_id'], call.project_scope, deleted=call.facts['of_deleted']))


def index(call: Call) -> Any:
    """List the actions on a server, newest first."""
    uuid = call.target.uuid
    page = page_of(call, call.app.conf.api.max_limit)
    page = dataclasses.replace(page, limit=page.limit or call.app.conf.api.max_limit)
    limit = page.limit if call.facts['pages'] else None
    since, before = _time(call, 'changes-since'), _time(call, 'changes-before')
    if since and before and since > before:
        raise Invalid('The value of changes-since must be less than or equal to changes-before.')
    found = call.app.db.read(lambda connection: operations.of_instance(
        connection, uuid, limit=limit, marker=page.marker, since=since, before=before))
    links = {}
    if call.facts['pages']:
        links = next_links(call, 'links', f'/servers/{uuid}/os-instance-actions', found, page,
                           found[-1].request_id if found else None)
    return {'instanceActions': [view(operation) for operation in found],
            **({'links': links['links_links']} if links else {})}


def show(call: Call) -> Any:
    """Show one action with its steps, as far as the caller may see them."""
    uuid, request_id = call.target.uuid, call.path['request_id']
    def read(connection: Any) -> tuple[Operation, list[OperationEvent]] | None:
        found = operations.of_instance(connection, uuid, request_id=request_id)
        return (found[0], operations.events_of(connection, found[0].id)) if found else None
    read_now = call.app.db.read(read)
    if read_now is None:
        raise NotFound(f'Action for request_id {request_id} on instance {uuid} not found')
    operation, events = read_now
    shown = view(operation)
    privileged = call.may(policy.EVENTS)
    if privileged or call.facts['events_for_all']:
        detailed = call.may(policy.DETAILS)
        shown['events'] = [_event(call, event, privileged, detailed) for event in events]
    return {'instanceAction': shown}


def view(operation: Operation) -> dict[str, Any]:
    """Return an action as the newest version shows it."""
    return {'action': verb_of(operation.kind), 'instance_uuid': operation.instance_uuid,
            'request_id': operation.request_id, 'user_id': operation.user_id, 'project_id': operation.project_id,
            'start_time': precise(operation.created_at), 'updated_at': precise(operation.updated_at),
            'message': 'Error' if operation.state == FAILED else None}


def _event(call: Call, event: OperationEvent, privileged: bool, detailed: bool) -> dict[str, Any]:
    """A step. The trace of a failure is in the log under the request's id; here ``traceback`` says what it came to."""
    shown = {'event': event.name, 'start_time': precise(event.started_at), 'finish_time': precise(event.finished_at),
             'result': event.result, 'hostId': host_id(call.target.project_id, event.host)}
    if privileged:
        shown.update(traceback=event.details, host=event.host or None)
    if detailed:
        shown['details'] = event.details
    return shown


def host_id(project_id: str, host: str) -> str:
    """Tell hosts apart for one project without naming them."""
    return hashlib.sha224(f'{project_id}{host}'.encode()).hexdigest() if host else ''


def _time(call: Call, name: str) -> datetime.datetime | None:
    text = call.query.get(name)
    return None if text is None else timeutils.normalize_time(timeutils.parse_isotime(text))


_BASE = '/servers/{server_id}/os-instance-actions'

RESOURCE = Resource('os-instance-actions', (
    Op('GET', _BASE, index, loads=load, query=_LISTED, policy=policy.LIST, facts=_FACTS,
       view=View('instanceActions', _ACTION, many=True)),
    Op('GET', _BASE + '/{request_id}', show, loads=load, policy=policy.SHOW, facts=_FACTS,
       view=View('instanceAction', _ACTION)),
))
