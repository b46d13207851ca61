"""Delete a server, in whatever state it is: what still goes on with it is cancelled first."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from compute import exception, states
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.db import instances, operations
from compute.objects.instance import Instance
from compute.objects.kinds import delete as kind
from compute.objects.operation import CANCELLED, Operation, OperationError, Work
from compute.rpc.conductor import Delete

GUARD = operation.Guard(vm_states=operation.ANY, task_states=operation.ANY, needs_host=False)
_CANCELLED = OperationError(code='deleted', message='The server was deleted meanwhile', status=409)


def delete(cloud: Cloud, context: RequestContext, instance: Instance) -> Operation:
    """Begin to delete a server; asking again while it goes on is no error.

    :raises Conflict: it is locked. :raises NotFound: it is gone.
    """
    def start(connection: Connection) -> tuple[Work, bool]:
        current = instances.get(connection, instance.uuid)
        GUARD.check('delete', current, context)
        running = operations.open_of_instance(connection, current.uuid)
        for other in running:
            if other.kind == kind.KIND.name:
                return Work(operation=other, instance=current), False
        for other in running:
            operations.end(connection, other, CANCELLED, _CANCELLED)
        opened = operations.insert(connection, operation.new(
            context, current, kind.KIND, {'nics': _asked(running)}, host=None,
            begin_within=cloud.conf.conductor.begin_timeout))
        if not instances.update(connection, current.uuid, task_state=states.DELETING, progress=0,
                                operation_id=opened.id):
            raise exception.NotFound(f'Instance {current.uuid} could not be found.')
        return Work(operation=opened, instance=current), True
    work, opened = cloud.db.transaction(start)
    if opened:
        operation.hint(cloud, context, work, send)
    return work.operation


def _asked(running: list[Operation]) -> list[dict[str, object]]:
    """Return the NICs asked for by a creation that is cut off: ports the user brought are given back, not deleted."""
    return [nic for other in running if other.kind == 'create' for nic in other.args.get('nics', ())]


def send(cloud: Cloud, context: RequestContext, work: Work) -> None:
    """Tell a conductor."""
    cloud.rpc.client(Delete).delete(context, operation_id=work.operation.id)
