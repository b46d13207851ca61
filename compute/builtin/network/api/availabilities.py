"""How many addresses of each network are in use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from compute.builtin.network.control import addressing
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import NETWORK
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource

_FILTERS = {'network_id': 'id', 'network_name': 'name', 'project_id': 'project_id', 'tenant_id': 'project_id'}


def list_(call: Call) -> dict[str, Any]:
    """List all networks with their use; the list is empty without permission to see it."""
    if not call.may('get_network_ip_availability', {}):
        return {'network_ip_availabilities': []}
    clauses = [t.networks.c[column].in_(call.query[name]) for name, column in _FILTERS.items() if name in call.query]
    versions = [int(text) for text in call.query.get('ip_version', []) if text in ('4', '6')]
    return {'network_ip_availabilities': call.app.look(lambda work: _count(
        work, rows.every(work.connection, t.networks, *clauses, order=t.networks.c.id), versions or [4, 6]))}


def show(call: Call) -> dict[str, Any]:
    """Show one network's use."""
    return {'network_ip_availability': call.app.look(lambda work: _count(work, [call.target], [4, 6]))[0]}


def _count(work: Work, networks: Iterable[rows.Row], versions: list[int]) -> list[dict[str, Any]]:
    counted = sa.select(t.addresses.c.subnet_id, sa.func.count()).group_by(t.addresses.c.subnet_id)
    used: dict[str, int] = {subnet: count for subnet, count in work.connection.execute(counted)}
    subnets = rows.by_key(rows.every(work.connection, t.subnets, t.subnets.c.ip_version.in_(versions),
                                     order=t.subnets.c.id), 'network_id')
    return [_view(network, subnets.get(network['id'], []), used) for network in networks]


def _view(network: rows.Row, subnets: list[rows.Row], used: dict[str, int]) -> dict[str, Any]:
    inner = [{'subnet_id': subnet['id'], 'subnet_name': subnet['name'], 'cidr': subnet['cidr'],
              'ip_version': subnet['ip_version'], 'used_ips': used.get(subnet['id'], 0),
              'total_ips': sum(end - start + 1 for start, end in addressing.spans(subnet['allocation_pools']))}
             for subnet in subnets]
    # The totals of IPv6 networks do not fit into JSON's safe numbers; the encoder takes 64 bits at most.
    for item in inner:
        item['total_ips'] = min(item['total_ips'], 2 ** 63 - 1)
    return {'network_id': network['id'], 'network_name': network['name'], 'project_id': network['project_id'],
            'tenant_id': network['project_id'], 'used_ips': sum(item['used_ips'] for item in inner),
            'total_ips': min(sum(item['total_ips'] for item in inner), 2 ** 63 - 1), 'subnet_ip_availability': inner}


def _load(call: Call) -> Any:
    if not call.may('get_network_ip_availability', {}):
        raise rows.missing(NETWORK, call.path['id'])
    return call.app.look(lambda work: rows.get(work.connection, NETWORK, call.path['id']))


_QUERY = Query(fields(extra=True), repeats=('fields', 'ip_version', *_FILTERS))
RESOURCE = Resource('network-ip-availabilities', (
    Op('GET', '/network-ip-availabilities', list_, 'get_network_ip_availabilities', query=_QUERY),
    Op('GET', '/network-ip-availabilities/{id}', show, 'get_network_ip_availability', query=_QUERY, loads=_load)))
