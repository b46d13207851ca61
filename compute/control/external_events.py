"""Events of the neighbours: what they cause at the host of the server and at the conductor."""

from __future__ import annotations

from collections.abc import Collection

from compute import states
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.objects.events import ExternalEvent
from compute.objects.instance import Instance
from compute.rpc.conductor import NetworkInfo
from compute.rpc.worker import Events

_CHANGES = ('network-changed', 'network-vif-unplugged', 'network-vif-deleted')
_PLUGGED = 'network-vif-plugged'


def pass_on(cloud: Cloud, context: RequestContext, instance: Instance, event: ExternalEvent) -> None:
    """Send an event to the server's host. :raises Unavailable: the broker does not answer; the host looks for
    itself."""
    cloud.rpc.client(Events, instance.host).external_event(context, event=event)


def changes_network(instance: Instance, event: ExternalEvent) -> bool:
    """Return whether the server's ports need a refresh.

    A port that is plugged during an operation belongs to that operation, which reads it.
    """
    if event.name == _PLUGGED:
        return instance.task_state is None
    return event.name in _CHANGES and instance.task_state != states.DELETING


def refresh(cloud: Cloud, context: RequestContext, servers: Collection[str]) -> None:
    """Have a conductor read the ports of servers anew. :raises Unavailable: the broker does not answer; the periodic
    refresh does it later."""
    if servers:
        cloud.rpc.client(NetworkInfo).refresh(context, servers=tuple(sorted(servers)))
