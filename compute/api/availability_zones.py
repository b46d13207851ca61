"""Availability zones: which there are, whether one can be had, and for administrators what is in them."""

from __future__ import annotations

from typing import Any

from compute.api.times import precise
from compute.db import services
from compute.objects.host import Service
from compute.objects.value import now
from compute.policies import availability_zones as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource

_WORKER = 'nova-compute'


def index(call: Call) -> Any:
    """List the zones of workers; one whose workers are all disabled cannot be had."""
    zones = _zones(call.app.db.read(lambda connection: services.page(connection, binary=_WORKER)))
    return {'availabilityZoneInfo': [_zone(name, _available(found), None) for name, found in zones]}


def detail(call: Call) -> Any:
    """List every zone, that of the daemons without servers too, with its hosts and their daemons."""
    down_after = call.app.conf.conductor.service_down_time
    zones = _zones(call.app.db.read(services.page))
    return {'availabilityZoneInfo': [
        _zone(name, True, _hosts(found, down_after)) if _available(found) else _zone(name, False, None)
        for name, found in zones]}


def _zones(found: list[Service]) -> list[tuple[str, list[Service]]]:
    """Group daemons by zone: those that can be had first, as clients take the first for the default."""
    zones: dict[str, list[Service]] = {}
    for service in sorted(found, key=lambda service: (service.zone, service.host)):
        zones.setdefault(service.zone, []).append(service)
    return sorted(zones.items(), key=lambda zone: not _available(zone[1]))


def _available(found: list[Service]) -> bool:
    return any(not service.disabled for service in found)


def _zone(name: str, available: bool, hosts: Any) -> dict[str, Any]:
    return {'zoneName': name, 'zoneState': {'available': available}, 'hosts': hosts}


def _hosts(found: list[Service], down_after: float) -> dict[str, Any]:
    hosts: dict[str, dict[str, Any]] = {}
    for service in found:
        hosts.setdefault(service.host, {})[service.binary] = {
            'active': not service.disabled, 'available': service.is_up(now(), down_after),
            'updated_at': precise(service.last_seen_at)}
    return hosts


RESOURCE = Resource('os-availability-zone', (
    Op('GET', '/os-availability-zone', index, policy=policy.LIST),
    Op('GET', '/os-availability-zone/detail', detail, policy=policy.DETAIL),
))
