"""Daemons as an administrator sees them: switching workers on and off, and forgetting one that is gone for good."""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import Connection

from compute.control.cloud import Cloud
from compute.db import hosts, instances, services
from compute.exception import Conflict, Invalid
from compute.objects.host import Service

WORKER = 'nova-compute'


def update(cloud: Cloud, service: Service, **values: Any) -> Service:
    """Set ``disabled``, ``disabled_reason`` or ``forced_down`` of a worker and return it.

    :raises Invalid: another daemon: nothing would look at it.
    """
    if service.binary != WORKER:
        raise Invalid(f'Updating a {service.binary} service is not supported. Only {WORKER} services can be updated.')
    def write(connection: Connection) -> Service:
        services.update(connection, service.id, **values)
        return services.get(connection, service.uuid)
    return cloud.db.transaction(write)


def delete(cloud: Cloud, service: Service) -> None:
    """Forget a daemon, and with a worker its host. :raises Conflict: servers are there, or claims of moves to it."""
    def write(connection: Connection) -> None:
        if service.binary == WORKER:
            _delete_host(connection, service.host)
        services.delete(connection, service.id)
    cloud.db.transaction(write)


def _delete_host(connection: Connection, name: str) -> None:
    host = hosts.find(connection, name)
    if instances.of_host(connection, name) or (host is not None and host.running_vms):
        raise Conflict('Unable to delete compute service that is hosting instances. Migrate or delete the instances '
                       'first.', code='host_in_use')
    hosts.delete(connection, name)
