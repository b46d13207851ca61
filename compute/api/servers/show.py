"""Show one server."""

from __future__ import annotations

from typing import Any

from compute.api.servers import view
from compute.db import services
from compute.objects.host import Service
from compute.objects.instance import Instance
from compute.objects.value import now
from compute.rest.call import Call


def show(call: Call) -> Any:
    """Show the server of the URL."""
    return {'server': one(call, call.target)}


def one(call: Call, instance: Instance) -> dict[str, Any]:
    """Return a server as ``show`` and ``update`` answer it: with its server groups, which lists leave out."""
    sight = view.sight_of(call, [instance])
    status = host_status(call, instance) if sight.host_status or sight.unknown_only else ''
    shown = view.full(call, instance, sight, status)
    shown['server_groups'] = [instance.server_group] if instance.server_group else []
    return shown


def host_status(call: Call, instance: Instance) -> str:
    """Return how the server's host is doing."""
    if not instance.host:
        return ''
    service = call.app.db.read(lambda connection: services.find(connection, instance.host, 'nova-compute'))
    return status_of(service, call.app.conf.conductor.service_down_time)


def status_of(service: Service | None, down_after: float) -> str:
    """Return UP, DOWN (forced), MAINTENANCE (disabled) or UNKNOWN (no heartbeat)."""
    if service is None:
        return 'UNKNOWN'
    if service.forced_down:
        return 'DOWN'
    if service.disabled:
        return 'MAINTENANCE'
    return 'UP' if service.is_up(now(), down_after) else 'UNKNOWN'
