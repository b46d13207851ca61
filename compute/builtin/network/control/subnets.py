"""Subnets: create, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import addresses, addressing, projects
from compute.builtin.network.control.addressing import BAD_REQUEST, IPV6_LEAST_MTU, Address, Net
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
    _check_cidr(net)
    _check_overlap(work, network['id'], net)
    if net.version == 6 and network['mtu'] < IPV6_LEAST_MTU:
        raise Invalid(f'cidr: {net}: the network has an mtu of {network["mtu"]}, IPv6 needs {IPV6_LEAST_MTU}',
                      details=_INPUT)
    values = {'enable_dhcp': True, 'ipv6_ra_mode': None, 'ipv6_address_mode': None, **SUBNET.values(attributes),
              'cidr': str(net), 'ip_version': net.version}
    _check_modes(net, values)
    gateway = addressing.default_gateway(net) if 'gateway_ip' not in attributes else _gateway(
        net, attributes['gateway_ip'])
    values['gateway_ip'] = None if gateway is None else str(gateway)
    pools = values.get('allocation_pools')
    values['allocation_pools'] = (addressing.default_pools(net, gateway) if pools is None
                                  else addressing.check_pools(net, [*pools], gateway))
    _check_lists(net, values)
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
    _check_modes(net, {**old, **values})
    gateway = None if old['gateway_ip'] is None else addressing.address_of(old['gateway_ip'])
    if 'gateway_ip' in values:
        gateway = _gateway(net, values['gateway_ip'])
        values['gateway_ip'] = None if gateway is None else str(gateway)
        _check_gateway_free(work, old, gateway)
    if 'gateway_ip' in values or 'allocation_pools' in values:
        wanted = {**old, **values}['allocation_pools']
        values['allocation_pools'] = addressing.check_pools(net, wanted, gateway)
    _check_lists(net, values)
    row = rows.change(work.connection, SUBNET, subnet_id, values)
    work.changes.networks.add(old['network_id'])
    return row


def delete(work: Work, subnet_id: str) -> None:
    """Delete a subnet; addresses that guests gave themselves go with it. :raises Conflict: ports have addresses."""
    row = rows.get(work.connection, SUBNET, subnet_id, lock=True)
    if addressing.is_automatic(row):
        work.connection.execute(t.addresses.delete().where(t.addresses.c.subnet_id == subnet_id))
    try:
        rows.delete(work.connection, SUBNET, subnet_id)
    except IntegrityError:
        raise Conflict(f'Unable to complete operation on subnet {subnet_id}: One or more ports have an IP allocation '
                       'from this subnet.', details={'type': 'SubnetInUse'}) from None
    work.changes.networks.add(row['network_id'])


def _check_cidr(net: Net) -> None:
    if net.prefixlen == 0:
        raise Invalid(f'cidr: {net} has prefix length 0', details=_INPUT)
    if net.is_multicast or net.is_loopback or net.is_link_local:
        raise Invalid(f'cidr: {net} is a multicast, loopback or link-local network', details=_INPUT)


def _check_overlap(work: Work, network_id: str, net: Net) -> None:
    query = sa.select(t.subnets.c.id, t.subnets.c.cidr).where(
        t.subnets.c.network_id == network_id, t.subnets.c.ip_version == net.version)
    for subnet_id, cidr in work.connection.execute(query):
        if addressing.network_of(cidr).overlaps(net):  # type: ignore[arg-type]
            raise Invalid(f'Invalid input for operation: Requested subnet with cidr: {net} for network: {network_id} '
                          f'overlaps with another subnet: {subnet_id} with cidr {cidr}.', details=_INPUT)


def _check_modes(net: Net, values: Mapping[str, Any]) -> None:
    modes = {values['ipv6_ra_mode'], values['ipv6_address_mode']} - {None}
    if not modes:
        return
    if net.version == 4:
        raise Invalid('ipv6_ra_mode and ipv6_address_mode are for subnets of ip_version 6', details=_INPUT)
    if len(modes) == 2:
        raise Invalid(f'ipv6_ra_mode {values["ipv6_ra_mode"]} and ipv6_address_mode {values["ipv6_address_mode"]} '
                      'must be equal where both are given', details=_INPUT)
    if not values['enable_dhcp']:
        raise Invalid('ipv6_ra_mode and ipv6_address_mode need enable_dhcp', details=_INPUT)
    if addressing.is_automatic(values) and net.prefixlen != 64:
        raise Invalid(f'cidr: {net}: ipv6_address_mode {values["ipv6_address_mode"]} needs a prefix of 64 bits',
                      details=_INPUT)


def _gateway(net: Net, text: str | None) -> Address | None:
    if text is None or text == '':
        return None
    gateway = addressing.address_of(text, 'gateway_ip')
    if gateway.version != net.version:
        raise Invalid(f'gateway_ip: {gateway} is of another IP version than {net}', details=BAD_REQUEST)
    first, last = addressing.usable(net)
    if not first <= int(gateway) <= last and not (gateway.version == 6 and gateway.is_link_local):
        raise Invalid(f'gateway_ip: {gateway} is no host address of {net}', details=_INPUT)
    return gateway


def _check_gateway_free(work: Work, subnet: Row, gateway: Address | None) -> None:
    if gateway is None:
        return
    query = sa.select(t.addresses.c.port_id).where(
        t.addresses.c.subnet_id == subnet['id'], t.addresses.c.number == addressing.number(gateway))
    if (port_id := work.connection.execute(query).scalar()) is not None:
        raise Conflict(f'Current gateway ip {gateway} already in use by port {port_id}. Unable to update.',
                       details={'type': 'GatewayIpInUse'})


def _check_lists(net: Net, values: dict[str, Any]) -> None:
    if 'dns_nameservers' in values:
        servers = [str(addressing.address_of(text, 'dns_nameservers')) for text in values['dns_nameservers'] or []]
        if len(set(servers)) != len(servers):
            raise Invalid(f'dns_nameservers: {servers} has duplicates', details=BAD_REQUEST)
        values['dns_nameservers'] = servers
    if 'host_routes' in values:
        values['host_routes'] = [_route(net, route) for route in values['host_routes'] or []]


def _route(net: Net, route: Mapping[str, str]) -> dict[str, str]:
    destination = addressing.network_of(route['destination'])
    hop = addressing.address_of(route['nexthop'], 'host_routes.nexthop')
    if destination.version != net.version or hop.version != net.version:
        raise Invalid(f'host_routes: {destination} via {hop} is of another IP version than {net}', details=BAD_REQUEST)
    return {'destination': str(destination), 'nexthop': str(hop)}
