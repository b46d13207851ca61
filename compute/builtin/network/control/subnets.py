"""Subnets: create, change, delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import addresses, addressing, ports_in_use, projects, subnet_checks
from compute.builtin.network.control.addressing import IPV6_LEAST_MTU, Address, Net
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import NETWORK, SUBNET
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Invalid

_INPUT = {'type': 'InvalidInput'}


def create(work: Work, attributes: Mapping[str, Any]) -> Row:
    """Make a subnet; ports that are there already get their address in it when guests make theirs themselves.

    :raises Invalid: addresses that do not fit together, or overlap with another subnet of the network.
    :raises Conflict: quota, pools.
    """
    projects.charge(work, attributes['project_id'], 'subnet')
    network = rows.get(work.connection, NETWORK, attributes['network_id'], lock=True)
    net = addressing.network_of(attributes['cidr'], attributes.get('ip_version'))
    subnet_checks.demand_usable(net)
    _check_overlap(work, network['id'], net)
    if net.version == 6 and network['mtu'] < IPV6_LEAST_MTU:
        raise Invalid(f'cidr: {net}: the network has an mtu of {network["mtu"]}, IPv6 needs {IPV6_LEAST_MTU}',
                      details=_INPUT)
    values = {'enable_dhcp': True, 'ipv6_ra_mode': None, 'ipv6_address_mode': None, **SUBNET.values(attributes),
              'cidr': str(net), 'ip_version': net.version}
    subnet_checks.demand_modes(net, values)
    subnet_checks.demand_room_for_dhcp(net, values)
    gateway = addressing.default_gateway(net) if 'gateway_ip' not in attributes else subnet_checks.gateway(
        net, attributes['gateway_ip'])
    values['gateway_ip'] = None if gateway is None else str(gateway)
    values['allocation_pools'] = _pools(net, values.get('allocation_pools'), gateway)
    subnet_checks.read_lists(net, values)
    row = rows.insert(work.connection, SUBNET, values)
    if addressing.is_automatic(row):
        addresses.add_to_all(work, row)
    work.changes.networks.add(network['id'])
    return row


def update(work: Work, subnet_id: str, attributes: Mapping[str, Any]) -> Row:
    """Change a subnet. :raises Conflict: a gateway that a port has, or that lies in a pool."""
    old = rows.get(work.connection, SUBNET, subnet_id, lock=True)
    net = addressing.network_of(old['cidr'])
    values = SUBNET.values(attributes)
    subnet_checks.demand_modes(net, {**old, **values})
    if 'enable_dhcp' in values:
        subnet_checks.demand_room_for_dhcp(net, values)
    gateway = None if old['gateway_ip'] is None else addressing.address_of(old['gateway_ip'])
    if 'gateway_ip' in values:
        gateway = subnet_checks.gateway(net, values['gateway_ip'])
        values['gateway_ip'] = None if gateway is None else str(gateway)
        _check_gateway_free(work, old, gateway)
    if 'gateway_ip' in values or 'allocation_pools' in values:
        wanted = {**old, **values}['allocation_pools']
        values['allocation_pools'] = _pools(net, wanted, gateway)
    subnet_checks.read_lists(net, values)
    row = rows.change(work.connection, SUBNET, subnet_id, values)
    work.changes.networks.add(old['network_id'])
    return row


def delete(work: Work, subnet_id: str) -> None:
    """Delete a subnet; addresses go with it that guests gave themselves, or that ports have which go with the network.

    :raises Conflict: other ports have addresses.
    """
    row = rows.get(work.connection, SUBNET, subnet_id, lock=True)
    here = t.ports.c.id.in_(sa.select(t.addresses.c.port_id).where(t.addresses.c.subnet_id == subnet_id))
    if not addressing.is_automatic(row) and (held := ports_in_use.ports(work, here)):
        raise _in_use(subnet_id, f': {ports_in_use.named(held)}')
    try:
        if addressing.is_automatic(row):
            work.connection.execute(t.addresses.delete().where(t.addresses.c.subnet_id == subnet_id))
        elif leaving := ports_in_use.automatic_ports(work, here):
            work.connection.execute(t.addresses.delete().where(
                t.addresses.c.subnet_id == subnet_id, t.addresses.c.port_id.in_(leaving)))
        rows.delete(work.connection, SUBNET, subnet_id)
    except IntegrityError:
        raise _in_use(subnet_id, ', made at this moment') from None
    work.changes.networks.add(row['network_id'])


def _in_use(subnet_id: str, what: str) -> Conflict:
    return Conflict(f'Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation from '
                    f'this subnet{what}.', details={'type': 'SubnetInUse'})


def _pools(net: Net, pools: Iterable[dict[str, str]] | None, gateway: Address | None) -> list[dict[str, str]]:
    """Return the pools asked for, or the default ones for None. :raises Invalid: the gateway has the only address."""
    if pools is not None:
        return addressing.check_pools(net, pools, gateway)
    found = addressing.default_pools(net, gateway)
    if not found:
        raise Invalid(f'cidr: the gateway {gateway} has the only address of {net}, none is left for ports; a '
                      'gateway_ip of null leaves it to them', details=_INPUT)
    return found


def _check_overlap(work: Work, network_id: str, net: Net) -> None:
    query = sa.select(t.subnets.c.id, t.subnets.c.cidr).where(
        t.subnets.c.network_id == network_id, t.subnets.c.ip_version == net.version)
    for subnet_id, cidr in work.connection.execute(query):
        if addressing.network_of(cidr).overlaps(net):  # type: ignore[arg-type]
            raise Invalid(f'Invalid input for operation: Requested subnet with cidr: {net} for network: {network_id} '
                          f'overlaps with another subnet: {subnet_id} with cidr {cidr}.', details=_INPUT)


def _check_gateway_free(work: Work, subnet: Row, gateway: Address | None) -> None:
    if gateway is None:
        return
    query = sa.select(t.addresses.c.port_id).where(
        t.addresses.c.subnet_id == subnet['id'], t.addresses.c.number == addressing.number(gateway))
    if (port_id := work.connection.execute(query).scalar()) is not None:
        raise Conflict(f'Current gateway ip {gateway} already in use by port {port_id}. Unable to update.',
                       details={'type': 'GatewayIpInUse'})
