"""Delete a server, in whatever state it is: what still goes on with it is cancelled first."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.engine import Connection

from compute import exception, states
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.db import instances, operations
from compute.objects.instance import Instance
from compute.objects.kinds.create import CREATE
from compute.objects.kinds.delete import DELETE, DeleteArgs
from compute.objects.nic import NicRequest
from compute.objects.operation import CANCELLED, Operation, OperationError, Work

_ATTEMPTS = 5
_CANCELLED = OperationError(code='deleted', message='The server was deleted meanwhile', status=409)


class _Raced(Exception):
    """Another request for the server came between: look again."""


def delete(cloud: Cloud, context: RequestContext, instance: Instance) -> Operation:
    """Begin to delete a server; asking again while it goes on is no error.

    :raises Conflict: it is locked. :raises NotFound: it is gone.
    """
    def start(connection: Connection) -> tuple[Work, bool]:
        current = instances.get(connection, instance.uuid)
        operation.check(DELETE, current, context)
        for goes_on in operations.open_of_instance(connection, current.uuid, (DELETE.name,)):
            return Work(operation=goes_on, instance=current), False
        running = operations.open_of_instance(connection, current.uuid)
        for other in running:
            operations.end(connection, other, CANCELLED, _CANCELLED)
        opened = operations.insert(connection, operation.new(
            context, current, DELETE, DeleteArgs(nics=_asked(connection, current)), host=None,
            begin_within=cloud.conf.conductor.begin_timeout))
        if not instances.update(connection, current.uuid, task_state=states.DELETING, progress=0,
                                operation_id=opened.id):
            raise exception.NotFound(f'Instance {current.uuid} could not be found.')
        # That held the server's row: what another request began while we came here is seen now.
        if [each.id for each in operations.open_of_instance(connection, current.uuid)] != [opened.id]:
            raise _Raced
        return Work(operation=opened, instance=current), True
    work, opened = _until_alone(cloud, start)
    if opened:
        operation.hint(cloud, context, [work])
    return work.operation


def _until_alone(cloud: Cloud, start: Callable[[Connection], tuple[Work, bool]]) -> tuple[Work, bool]:
    for _ in range(_ATTEMPTS):
        try:
            return cloud.db.transaction(start)
        except _Raced:
            continue
    raise exception.Conflict('The server cannot be deleted now: other requests for it come in all the time',
                             code='wrong_state')


def _asked(connection: Connection, instance: Instance) -> tuple[NicRequest, ...]:
    """Return the NICs asked for by a creation that did not succeed: ports the user brought are released, not deleted.

    A server that was launched knows of each of its ports whose it is.
    """
    if instance.launched_at:
        return ()
    begun = operations.of_instance(connection, instance.uuid, kinds=(CREATE.name,))
    return tuple(nic for each in begun for nic in CREATE.args_of(each.args).nics)
