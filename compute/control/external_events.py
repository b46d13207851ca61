"""News of the neighbours, on the way to the host of the server they concern."""

from __future__ import annotations

from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.objects.events import ExternalEvent
from compute.objects.instance import Instance
from compute.rpc.worker import Events


def pass_on(cloud: Cloud, context: RequestContext, instance: Instance, event: ExternalEvent) -> None:
    """Send an event to the server's host. :raises Unavailable: the broker does not answer; the host looks for
    itself."""
    cloud.rpc.client(Events, instance.host).external_event(context, event=event)
