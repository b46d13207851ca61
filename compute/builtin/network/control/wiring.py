"""What agents have to know of the networks and ports on their hosts, read from the rows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.builtin.network.control.binding import TAP
from compute.builtin.network.control.resolve import cidr, resolve
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.rows import Row, by_key, every
from compute.objects.nic import FixedIp, Subnet
from compute.objects.wiring import NetworkWiring, PortWiring, Rule

_IN = t.port_groups.c.group_id.in_(sa.bindparam('groups', expanding=True))
_ADDRESSES_IN = sa.select(t.port_groups.c.group_id, t.addresses.c.address).join(
    t.addresses, t.addresses.c.port_id == t.port_groups.c.port_id).where(_IN)
# Few ports have pairs; where JSON is text, the others are not read.
_PAIRS_IN = sa.select(t.port_groups.c.group_id, t.ports.c.network_id, t.ports.c.allowed_address_pairs).join(
    t.ports, t.ports.c.id == t.port_groups.c.port_id).where(
    _IN, sa.cast(t.ports.c.allowed_address_pairs, sa.Text) != '[]')


def of_host(connection: Connection, host: str, options: Any) -> list[NetworkWiring]:
    """Return every network with ports bound to ``host``, with these ports."""
    return wirings(connection, every(connection, t.ports, t.ports.c.host == host, t.ports.c.vif_type == TAP,
                                     order=t.ports.c.id), options)


def wirings(connection: Connection, ports: Sequence[Row], options: Any) -> list[NetworkWiring]:
    """Return the networks of these ports, each with those of them that are on it."""
    ids = [port['id'] for port in ports]
    addresses = by_key(_rows_in(connection, t.addresses, t.addresses.c.port_id, ids), 'port_id')
    subnets = by_key(_rows_in(connection, t.subnets, t.subnets.c.network_id, {port['network_id'] for port in ports}),
                     'network_id')
    rules = _rules(connection, ids)
    found = []
    by_network = by_key(ports, 'network_id')
    for network in _rows_in(connection, t.networks, t.networks.c.id, by_network):
        here = sorted(subnets.get(network['id'], []), key=lambda row: (row['created_at'], row['id']))
        versions = {row['id']: row['ip_version'] for row in here}
        found.append(_network(network, here, tuple(
            _port(port, network, addresses.get(port['id'], []), versions, rules.get(port['id'], ()))
            for port in by_network[network['id']]), options))
    return sorted(found, key=lambda network: network.id)


def hosts_of_networks(connection: Connection, networks: Collection[str]) -> set[str]:
    """Return the hosts with ports bound on these networks."""
    return _hosts(connection, t.ports.c.network_id.in_(networks))


def hosts_of_members(connection: Connection, groups: Collection[str]) -> set[str]:
    """Return the hosts with ports whose rules name one of these groups as the remote one."""
    naming = sa.select(t.security_group_rules.c.group_id).where(t.security_group_rules.c.remote_group_id.in_(groups))
    return _hosts(connection, t.ports.c.id.in_(
        sa.select(t.port_groups.c.port_id).where(t.port_groups.c.group_id.in_(naming))))


def ports_of_groups(connection: Connection, groups: Collection[str]) -> set[tuple[str, str, str]]:
    """Return (host, network id, port id) of the bound ports in these groups."""
    query = sa.select(t.ports.c.host, t.ports.c.network_id, t.ports.c.id).where(
        t.ports.c.vif_type == TAP, t.ports.c.id.in_(
            sa.select(t.port_groups.c.port_id).where(t.port_groups.c.group_id.in_(groups))))
    return {(row.host, row.network_id, row.id) for row in connection.execute(query)}


def _hosts(connection: Connection, clause: Any) -> set[str]:
    query = sa.select(t.ports.c.host).where(t.ports.c.vif_type == TAP, clause).distinct()
    return set(connection.execute(query).scalars())


def _rows_in(connection: Connection, table: sa.Table, column: Any, values: Iterable[str]) -> list[Row]:
    listed = list(values)
    found: list[Row] = []
    for start in range(0, len(listed), 500):
        found += every(connection, table, column.in_(listed[start:start + 500]))
    return found


def _rules(connection: Connection, port_ids: Sequence[str]) -> dict[str, tuple[Rule, ...]]:
    """Return each port's resolved rules; ports with the same groups share them."""
    groups = {port: frozenset(row['group_id'] for row in rows) for port, rows in by_key(
        _rows_in(connection, t.port_groups, t.port_groups.c.port_id, port_ids), 'port_id').items()}
    table = t.security_group_rules
    by_group = by_key(_rows_in(connection, table, table.c.group_id, {one for some in groups.values() for one in some}),
                      'group_id')
    members = _members(connection, {rule['remote_group_id'] for rules in by_group.values() for rule in rules} - {None})
    resolved = {some: resolve([rule for one in some for rule in by_group.get(one, [])], members)
                for some in set(groups.values())}
    return {port: resolved[some] for port, some in groups.items()}


def _members(connection: Connection, groups: set[Any]) -> dict[str, set[str]]:
    """Return the addresses of the ports in these groups, and those that their address pairs allow.

    A pair wider than the subnets of its network is left out: 0.0.0.0/0 would open every port of the group to all.
    """
    found: dict[str, set[str]] = {group: set() for group in groups}
    if not groups:
        return found
    for group, address in connection.execute(_ADDRESSES_IN, {'groups': sorted(groups)}):
        found[group].add(cidr(address))
    holders = connection.execute(_PAIRS_IN, {'groups': sorted(groups)}).all()
    widest = _widest(connection, {row.network_id for row in holders})
    for group, network_id, pairs in holders:
        found[group].update(text for text in (cidr(pair['ip_address']) for pair in pairs)
                            if _length(text) >= widest.get((network_id, ':' in text), 1))
    return found


def _widest(connection: Connection, networks: Iterable[str]) -> dict[tuple[str, bool], int]:
    """Return the shortest prefix of the subnets of each network, by (network id, whether of IPv6)."""
    found: dict[tuple[str, bool], int] = {}
    for subnet in _rows_in(connection, t.subnets, t.subnets.c.network_id, networks):
        key = subnet['network_id'], subnet['ip_version'] == 6
        found[key] = min(found.get(key, 128), _length(subnet['cidr']))
    return found


def _length(text: str) -> int:
    return int(text.rpartition('/')[2])


def _network(row: Row, subnets: Sequence[Row], ports: tuple[PortWiring, ...], options: Any) -> NetworkWiring:
    return NetworkWiring(
        id=row['id'], name=row['name'], project_id=row['project_id'], mtu=row['mtu'], kind=row['network_type'],
        segment=row['segmentation_id'], physical_network=row['physical_network'], external=row['external'],
        dns_domain=(row['dns_domain'] or options.dns_domain).strip('.'), ports=ports,
        subnets=tuple(_subnet(subnet) for subnet in subnets))


def _subnet(row: Row) -> Subnet:
    return Subnet(id=row['id'], cidr=row['cidr'], version=row['ip_version'], gateway=row['gateway_ip'],
                  dns=tuple(row['dns_nameservers']), enable_dhcp=row['enable_dhcp'],
                  ipv6_address_mode=row['ipv6_address_mode'],
                  routes=tuple((route['destination'], route['nexthop']) for route in row['host_routes']))


def _port(row: Row, network: Row, addresses: Sequence[Row], versions: dict[str, int],
          rules: tuple[Rule, ...]) -> PortWiring:
    held = sorted(addresses, key=lambda address: (address['position'], address['number']))
    return PortWiring(
        id=row['id'], network_id=row['network_id'], project_id=row['project_id'], device_id=row['device_id'],
        mac=row['mac_address'], hostname=row['dns_name'], admin_up=row['admin_state_up'] and network['admin_state_up'],
        security=row['port_security_enabled'], rules=rules,
        fixed_ips=tuple(FixedIp(address=address['address'], subnet_id=address['subnet_id'],
                                version=versions.get(address['subnet_id'], 4)) for address in held),
        allowed_address_pairs=tuple((pair['ip_address'], pair.get('mac_address') or row['mac_address'])
                                    for pair in row['allowed_address_pairs']))
