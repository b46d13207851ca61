"""The store of compute as the common exporter for OpenStack shows it: nova and placement.

Each function is one bounded query or two. What grows with the number of servers is cut at ``[health] metrics_servers``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import metrics, states
from compute.db import hosts, quotas, services
from compute.db.tables import flavors, instances, usages
from compute.objects.value import now

# The numbers that the exporter gives to statuses; -1 for others.
STATUSES = ('ACTIVE', 'BUILD', 'BUILD(spawning)', 'DELETED', 'ERROR', 'HARD_REBOOT', 'PASSWORD', 'REBOOT', 'REBUILD',
            'RESCUE', 'RESIZE', 'SHUTOFF', 'SUSPENDED', 'UNKNOWN', 'VERIFY_RESIZE', 'MIGRATING', 'PAUSED',
            'REVERT_RESIZE', 'SHELVED', 'SHELVED_OFFLOADED', 'SOFT_DELETED')
_MOST_PROJECTS = 1000
_MOST_FLAVORS = 1000
_MIB, _GIB = 1024 ** 2, 1024 ** 3


def nova(database: Any, conf: Any) -> Iterator[metrics.Sample]:
    """Yield what the exporter shows of nova."""
    def part(function: Any) -> Any:
        return lambda: database.read(lambda connection: list(function(connection, conf)))
    return metrics.exported('openstack_nova', {
        'agent_state': part(_agents), 'hypervisors': part(_hypervisors), 'server_status': part(_servers),
        'flavors': part(_flavors), 'limits': part(_limits)})


def placement(database: Any) -> Iterator[metrics.Sample]:
    """Yield what the exporter shows of placement."""
    return metrics.exported('openstack_placement', {
        'resource': lambda: database.read(lambda connection: list(_resources(connection)))})


def _agents(connection: Connection, conf: Any) -> Iterator[metrics.Sample]:
    time = now()
    for service in services.page(connection):
        up = service.is_up(time, conf.conductor.service_down_time)
        yield 'openstack_nova_agent_state', float(up), (
            service.uuid, service.host, service.binary, 'disabled' if service.disabled else 'enabled', service.zone,
            service.disabled_reason or '')


def _hypervisors(connection: Connection, conf: Any) -> Iterator[metrics.Sample]:
    busy = hosts.io_ops(connection)
    zones = set()
    for host in hosts.all_hosts(connection):
        zones.add(host.availability_zone)
        for name, value in (
                ('running_vms', host.running_vms), ('current_workload', busy.get(host.host, 0)),
                ('vcpus_available', host.vcpus), ('vcpus_used', host.vcpus_used),
                ('memory_available_bytes', host.memory_mb * _MIB), ('memory_used_bytes', host.memory_mb_used * _MIB),
                ('local_storage_available_bytes', host.disk_gb * _GIB),
                ('local_storage_used_bytes', host.disk_gb_used * _GIB),
                ('free_disk_bytes', max(0, host.disk_gb - host.disk_gb_used) * _GIB)):
            yield f'openstack_nova_{name}', value, (host.host, host.availability_zone, '')
    yield 'openstack_nova_availability_zones', len(zones), ()


def _servers(connection: Connection, conf: Any) -> Iterator[metrics.Sample]:
    there = instances.c.deleted == sa.false()
    number = connection.execute(sa.select(sa.func.count()).select_from(instances).where(there)).scalar()
    yield 'openstack_nova_total_vms', number or 0, ()
    columns = ('uuid', 'id', 'name', 'vm_state', 'task_state', 'project_id', 'user_id', 'access_ip_v4',
               'access_ip_v6', 'host', 'node', 'availability_zone', 'flavorid', 'disk_gb')
    query = sa.select(*(instances.c[name] for name in columns)).where(there).order_by(instances.c.id.desc())
    for row in connection.execute(query.limit(conf.health.metrics_servers)):
        word = states.status(row.vm_state, row.task_state)
        host_id = hashlib.sha224(f'{row.project_id}{row.host}'.encode()).hexdigest() if row.host else ''
        yield 'openstack_nova_server_status', STATUSES.index(word) if word in STATUSES else -1, (
            row.uuid, row.uuid, row.name, word, row.project_id, row.user_id, row.access_ip_v4 or '',
            row.access_ip_v6 or '', host_id, row.node or '', row.availability_zone or '', row.flavorid,
            f'instance-{row.id:08x}')
        yield 'openstack_nova_server_local_gb', row.disk_gb, (row.uuid, row.name, row.project_id)


def _flavors(connection: Connection, conf: Any) -> Iterator[metrics.Sample]:
    rows = connection.execute(sa.select(flavors).order_by(flavors.c.id).limit(_MOST_FLAVORS)).all()
    yield 'openstack_nova_flavors', len(rows), ()
    for row in rows:
        yield 'openstack_nova_flavor', 1, (row.flavorid, row.name, str(row.vcpus), str(row.memory_mb),
                                           str(row.root_gb), str(bool(row.is_public)).lower())


def _limits(connection: Connection, conf: Any) -> Iterator[metrics.Sample]:
    """Names of projects are Identity's: the label ``tenant`` has the id as well."""
    query = sa.select(usages).order_by(usages.c.project_id).limit(_MOST_PROJECTS)
    rows = connection.execute(query).all()
    own = quotas.limits_by_project(connection, [row.project_id for row in rows])
    default = quotas.class_limits(connection, conf)
    for row in rows:
        limits, labels = {**default, **own.get(row.project_id, {})}, (row.project_id, row.project_id)
        for name, resource in (('vcpus', 'cores'), ('memory', 'ram'), ('instances', 'instances')):
            yield f'openstack_nova_limits_{name}_max', limits[resource], labels
            yield f'openstack_nova_limits_{name}_used', getattr(row, resource), labels


def _resources(connection: Connection) -> Iterator[metrics.Sample]:
    for host in hosts.all_hosts(connection):
        for resource, total, reserved, used, ratio in (
                ('VCPU', host.vcpus, host.reserved_vcpus, host.vcpus_used, host.cpu_allocation_ratio),
                ('MEMORY_MB', host.memory_mb, host.reserved_memory_mb, host.memory_mb_used, host.ram_allocation_ratio),
                ('DISK_GB', host.disk_gb, host.reserved_disk_gb, host.disk_gb_used, host.disk_allocation_ratio)):
            for name, value in (('total', total), ('reserved', reserved), ('usage', used), ('allocation_ratio', ratio),
                                ('generation', host.generation)):
                yield f'openstack_placement_resource_{name}', value, (host.host, resource)
