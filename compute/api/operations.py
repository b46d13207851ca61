"""Operations as the ledger has them: stage, attempt, deadline, progress, error, and for administrators who has them.

A resource of our own, the same at every version. os-instance-actions shows the same rows with Nova's keys only.
"""

from __future__ import annotations

import datetime
from typing import Any

from compute.api.instance_actions import host_id
from compute.api.schema import STRING
from compute.db import instances, operation_list, operations
from compute.db.operation_list import Wanted
from compute.exception import NotFound
from compute.objects.error_codes import what_to_do
from compute.objects.instance import Instance
from compute.objects.kinds import KINDS
from compute.objects.operation import DONE, ENDED, OPEN, Operation, OperationError, OperationEvent
from compute.objects.value import now
from compute.policies import operations as policy
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource
from compute.rest.paging import LIMIT, next_links, page_of
from compute.rest.versions import window

_STATES = {'open': OPEN, **{state: (state,) for state in (*OPEN, *ENDED)}}
_ID = {'type': 'string', 'pattern': '^[0-9]{1,18}$'}
_SECONDS = {'type': 'string', 'pattern': '^[0-9]{1,10}$'}
_PAGED = {'limit': LIMIT, 'marker': _ID}
_FILTERS = {'state': {'type': 'string', 'enum': list(_STATES)}, 'kind': STRING}
_OF_SERVER = Query(fields({**_PAGED, **_FILTERS}), strict=window('2.102'))
_OF_ALL = Query(fields({**_PAGED, **_FILTERS, 'host': STRING, 'older_than': _SECONDS}), strict=window('2.102'))


def load(call: Call) -> Instance:
    """Return the server of the URL, deleted or not: what was done to it is still of interest."""
    return call.app.db.read(lambda connection: instances.get(
        connection, call.path['server_id'], call.project_scope, deleted=True))


def of_server(call: Call) -> Any:
    """List the operations on a server, newest first."""
    uuid = call.target.uuid
    wanted = Wanted(instance_uuid=uuid, states=_states(call, None), kinds=_kinds(call))
    return _page(call, wanted, f'/servers/{uuid}/operations', newest_first=True)


def of_all(call: Call) -> Any:
    """List operations on all servers, oldest first; those that are open unless another state is asked for."""
    if 'host' in call.query:
        call.demand(policy.OWNER)
    older = call.query.get('older_than')
    before = None if older is None else now() - datetime.timedelta(seconds=int(older))
    return _page(call, Wanted(states=_states(call, 'open'), kinds=_kinds(call), host=call.query.get('host'),
                              before=before), '/operations', newest_first=False)


def show(call: Call) -> Any:
    """Show an operation with its stages."""
    text = call.path['operation_id']
    if not text.isdecimal() or len(text) > 18:
        raise NotFound(f'Operation {text} on server {call.target.uuid} could not be found.', code='operation_not_found')
    def read(connection: Any) -> tuple[Operation, list[OperationEvent]]:
        found = operation_list.of_server(connection, call.target.uuid, int(text))
        return found, operations.events_of(connection, found.id)
    found, events = call.app.db.read(read)
    named, detailed = call.may(policy.OWNER), call.may(policy.DETAILS)
    stages = [_stage(found, event, named, detailed) for event in events]
    return {'operation': {**_view(call, found, named), 'stages': stages}}


def _page(call: Call, wanted: Wanted, path: str, *, newest_first: bool) -> Any:
    page = page_of(call, call.app.conf.api.max_limit)
    marker = int(page.marker) if page.marker else None
    found = call.app.db.read(lambda connection: operation_list.page(
        connection, wanted, page.limit, marker, newest_first=newest_first))
    named = call.may(policy.OWNER)
    links = next_links(call, 'operations', path, found, page, str(found[-1].id) if found else None)
    return {'operations': [_view(call, each, named) for each in found], **links}


def _states(call: Call, default: str | None) -> tuple[str, ...] | None:
    wanted = call.query.get('state', default)
    return None if wanted is None else _STATES[wanted]


def _kinds(call: Call) -> tuple[str, ...] | None:
    kind = call.query.get('kind')
    return None if kind is None else (kind,)


def _view(call: Call, operation: Operation, named: bool) -> dict[str, Any]:
    """Return an operation; its arguments may hold a password and are nobody's business."""
    error = operation.error
    shown: dict[str, Any] = {
        'id': operation.id, 'kind': operation.kind, 'state': operation.state, 'stage': operation.stage or None,
        'server_id': operation.instance_uuid, 'project_id': operation.project_id, 'user_id': operation.user_id,
        'request_id': operation.request_id, 'attempt': operation.attempt, 'progress': _progress(operation),
        'created_at': moment(operation.created_at), 'started_at': moment(operation.started_at),
        'updated_at': moment(operation.updated_at), 'finished_at': moment(operation.finished_at),
        'deadline_at': moment(operation.deadline_at),
        'host_id': host_id(operation.project_id, operation.host or ''),
        'error': None if error is None else _error(error, call.may(policy.DETAILS)),
        'links': call.links(f'/servers/{operation.instance_uuid}/operations/{operation.id}')}
    if named:
        shown.update(host=operation.host, owner=operation.owner, incarnation=operation.incarnation,
                     lease_until=moment(operation.lease_until))
    return shown


def _error(error: OperationError, detailed: bool) -> dict[str, Any]:
    """The code, a sentence and advice for all users; messages of hosts and neighbours for administrators."""
    shown: dict[str, Any] = {'code': error.code, 'message': error.shown, 'retryable': error.retryable,
                             'stage': error.stage or None, 'hint': what_to_do(error.code)}
    if detailed:
        shown['details'] = {**error.details, 'message': error.message, 'hint': error.hint}
    return shown


def _progress(operation: Operation) -> dict[str, int]:
    """Return how many of the kind's stages are behind, and the share of them in percent.

    Stages that are left out (a soft reboot has none of the hard one's) count as done once a later one begins.
    """
    kind = KINDS.get(operation.kind)
    names = [stage.name for stage in kind.stages] if kind else [operation.kind]
    behind = names.index(operation.stage) if operation.stage in names else 0
    if operation.state == DONE:
        behind = len(names)
    return {'stages_done': behind, 'stages': len(names), 'percent': 100 * behind // len(names)}


def _stage(operation: Operation, event: OperationEvent, named: bool, detailed: bool) -> dict[str, Any]:
    seconds = None
    if event.started_at and event.finished_at:
        seconds = round((event.finished_at - event.started_at).total_seconds(), 3)
    shown: dict[str, Any] = {
        'name': event.name, 'attempt': event.attempt, 'started_at': moment(event.started_at),
        'finished_at': moment(event.finished_at), 'seconds': seconds,
        'result': event.result.lower() if event.result else None,
        'host_id': host_id(operation.project_id, event.host)}
    if named:
        shown['host'] = event.host or None
    if detailed:
        shown['details'] = event.details
    return shown


def moment(time: datetime.datetime | None) -> str | None:
    """Return ``2026-11-20T12:00:00.123Z``: stages may take less than a second."""
    return None if time is None else f'{time.isoformat(timespec="milliseconds")}Z'


_BASE = '/servers/{server_id}/operations'

RESOURCE = Resource('operations', (
    Op('GET', _BASE, of_server, loads=load, query=_OF_SERVER, policy=policy.LIST),
    Op('GET', _BASE + '/{operation_id}', show, loads=load, policy=policy.SHOW),
    Op('GET', '/operations', of_all, query=_OF_ALL, policy=policy.LIST_ALL),
))
