"""The store of the network as the common exporter for OpenStack shows it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import metrics
from compute.builtin.network.db import tables as t
from compute.objects.value import now

_MOST_SUBNETS = 1000


def neutron(database: Any, options: Any) -> Iterator[metrics.Sample]:
    """Yield what the exporter shows of neutron."""
    def part(function: Any) -> Any:
        return lambda: database.read(lambda connection: list(function(connection, options)))
    return metrics.exported('openstack_neutron', {
        'agent_state': part(_agents), 'counts': part(_counts), 'network_ip_availabilities': part(_addresses)})


def _agents(connection: Connection, options: Any) -> Iterator[metrics.Sample]:
    for row in connection.execute(sa.select(t.agents)):
        alive = (now() - row.heartbeat_at).total_seconds() <= options.agent_down_time
        yield 'openstack_neutron_agent_state', float(alive), (
            row.id, row.host, 'compute-network-agent', 'up' if row.admin_state_up else 'down', 'nova')


def _counts(connection: Connection, options: Any) -> Iterator[metrics.Sample]:
    for name in ('networks', 'subnets', 'ports', 'security_groups'):
        number = connection.execute(sa.select(sa.func.count()).select_from(getattr(t, name))).scalar()
        yield f'openstack_neutron_{name}', number or 0, ()
    bare = sa.select(sa.func.count()).select_from(t.ports).where(
        ~sa.exists().where(t.addresses.c.port_id == t.ports.c.id))
    yield 'openstack_neutron_ports_no_ips', connection.execute(bare).scalar() or 0, ()


def _addresses(connection: Connection, options: Any) -> Iterator[metrics.Sample]:
    counted = connection.execute(sa.select(t.addresses.c.subnet_id, sa.func.count()).group_by(t.addresses.c.subnet_id))
    used = {str(subnet): int(number) for subnet, number in counted}
    query = sa.select(t.subnets, t.networks.c.name.label('network_name')).join(
        t.networks, t.networks.c.id == t.subnets.c.network_id).order_by(t.subnets.c.id).limit(_MOST_SUBNETS)
    for row in connection.execute(query):
        labels = (row.network_id, row.network_name, str(row.ip_version), row.cidr, row.name, row.project_id)
        yield 'openstack_neutron_network_ip_availabilities_total', _room(row.allocation_pools), labels
        yield 'openstack_neutron_network_ip_availabilities_used', used.get(row.id, 0), labels


def _room(pools: list[dict[str, str]]) -> float:
    return sum(int(ipaddress.ip_address(pool['end'])) - int(ipaddress.ip_address(pool['start'])) + 1 for pool in pools)
