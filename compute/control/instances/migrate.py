"""Migrate a server to another host while it is off."""

from __future__ import annotations

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.control.instances import checks
from compute.control.instances.moving import move
from compute.objects.instance import Instance
from compute.objects.kinds.migrate import MIGRATE
from compute.objects.migration import MIGRATION
from compute.objects.operation import Operation


def migrate(cloud: Cloud, context: RequestContext, instance: Instance, host: str | None = None) -> Operation:
    """Begin to migrate a server, to ``host`` if one is requested; the scheduler checks it like any other.

    :raises Invalid: there is no such host, or the server is on it. :raises Conflict: the state does not allow it.
    """
    checks.host_exists(cloud, host, None)
    if host is not None and host == instance.host:
        raise exception.Invalid(f'Server {instance.uuid} is on host {host} already; a migration needs another host.',
                                code='same_host')
    return move(cloud, context, instance, MIGRATE, instance.flavor, MIGRATION, host)
