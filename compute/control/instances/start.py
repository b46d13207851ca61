"""Start a stopped server."""

from __future__ import annotations

from compute import states
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.objects.instance import Instance
from compute.objects.kinds import start as kind
from compute.objects.operation import Operation, Work
from compute.rpc.worker import Power

GUARD = operation.Guard(vm_states=(states.STOPPED,))


def start(cloud: Cloud, context: RequestContext, instance: Instance) -> Operation:
    """Begin to start a server. :raises Conflict: it is not stopped, or something goes on."""
    return operation.run(cloud, context, instance, kind.KIND, GUARD, send)


def send(cloud: Cloud, context: RequestContext, work: Work) -> None:
    """Tell the server's host."""
    cloud.rpc.client(Power, work.operation.host).start(context, work=work)
