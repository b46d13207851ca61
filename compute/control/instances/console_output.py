"""Read a server's serial console."""

from __future__ import annotations

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.objects.error_codes import shielded
from compute.objects.instance import Instance
from compute.rpc.worker import Consoles


def console_output(cloud: Cloud, context: RequestContext, instance: Instance, lines: int | None) -> str:
    """Return the last ``lines`` pieces between newlines, or all that is kept. What follows a newline at the end is a
    piece, which is empty.

    :raises Conflict: it is on no host, or its host does not answer.
    """
    if instance.host is None:
        raise exception.Conflict(f'Server {instance.uuid} is on no host yet, it has no console',
                                 code='server_not_on_host')
    try:
        return cloud.rpc.client(Consoles, instance.host).console_output(context, instance=instance, lines=lines)
    except exception.Unavailable as error:
        raise exception.Conflict(f'The console of server {instance.uuid} cannot be read now: its host does not answer',
                                 code='host_unreachable') from error
    except exception.ComputeError as error:
        raise shielded(error) from None
