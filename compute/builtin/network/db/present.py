"""From rows to what the API shows of them: one query for each kind of child, however many rows there are."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP, NETWORK, PORT, RULE, SUBNET, Kind
from compute.builtin.network.db.rows import Row, by_key

_CHUNK = 500
Item = dict[str, Any]


def present(connection: Connection, kind: Kind, rows: Sequence[Row], options: Any,
            wanted: Collection[str] = ()) -> list[Item]:
    """Return rows as the API shows them. ``wanted`` are the only attributes that are needed; empty means all."""
    items = [kind.shown(row) for row in rows]
    ids = [item['id'] for item in items]
    if kind is not RULE and _needs(wanted, 'tags'):
        tags = by_key(_children(connection, t.tags, t.tags.c.resource_id, ids, t.tags.c.tag), 'resource_id')
        for item in items:
            item['tags'] = [row['tag'] for row in tags.get(item['id'], [])]
    if kind.name in _EXTRAS:
        _EXTRAS[kind.name](connection, items, ids, options, wanted)
    return items


def _needs(wanted: Collection[str], *names: str) -> bool:
    return not wanted or any(name in wanted for name in names)


def _children(connection: Connection, table: sa.Table, column: Any, ids: Sequence[str], *order: Any) -> list[Row]:
    found: list[Row] = []
    for start in range(0, len(ids), _CHUNK):
        query = sa.select(table).where(column.in_(ids[start:start + _CHUNK])).order_by(*order)
        found += [dict(row._mapping) for row in connection.execute(query)]
    return found


def _networks(connection: Connection, items: list[Item], ids: list[str], options: Any, wanted: Collection[str]) -> None:
    subnets: dict[Any, list[Row]] = {}
    if _needs(wanted, 'subnets'):
        subnets = by_key(_children(connection, t.subnets, t.subnets.c.network_id, ids,
                                   t.subnets.c.created_at, t.subnets.c.id), 'network_id')
    for item in items:
        item['subnets'] = [row['id'] for row in subnets.get(item['id'], [])]
        item['availability_zones'] = [options.availability_zone]
        item['ipv4_address_scope'] = item['ipv6_address_scope'] = None


def _subnets(connection: Connection, items: list[Item], ids: list[str], options: Any, wanted: Collection[str]) -> None:
    external: dict[str, bool] = {}
    if _needs(wanted, 'router:external'):
        networks = _children(connection, t.networks, t.networks.c.id, sorted({item['network_id'] for item in items}))
        external = {row['id']: row['external'] for row in networks}
    for item in items:
        item.update({'subnetpool_id': None, 'service_types': [],
                     'router:external': external.get(item['network_id'], False)})


def _ports(connection: Connection, items: list[Item], ids: list[str], options: Any, wanted: Collection[str]) -> None:
    addresses, groups, domains = {}, {}, {}
    if _needs(wanted, 'fixed_ips', 'dns_assignment'):
        addresses = by_key(_children(connection, t.addresses, t.addresses.c.port_id, ids,
                                     t.addresses.c.position, t.addresses.c.number), 'port_id')
    if _needs(wanted, 'security_groups'):
        groups = by_key(_children(connection, t.port_groups, t.port_groups.c.port_id, ids,
                                  t.port_groups.c.group_id), 'port_id')
    if _needs(wanted, 'dns_assignment'):
        networks = _children(connection, t.networks, t.networks.c.id, sorted({item['network_id'] for item in items}))
        domains = {row['id']: row['dns_domain'] for row in networks}
    for item in items:
        _port(item, addresses.get(item['id'], []), [row['group_id'] for row in groups.get(item['id'], [])],
              domains.get(item['network_id']) or options.dns_domain)


def new_port(row: Row, addresses: Sequence[Row], groups: Collection[str], tags: Collection[str], network: Row,
             options: Any) -> Item:
    """Return a port as ``present`` would, of what was written: ``addresses`` in their order."""
    item = PORT.shown(row)
    item['tags'] = sorted(set(tags))
    _port(item, addresses, sorted(groups), network['dns_domain'] or options.dns_domain)
    return item


def _port(item: Item, addresses: Sequence[Row], groups: list[str], domain: str) -> None:
    item['fixed_ips'] = [{'subnet_id': row['subnet_id'], 'ip_address': row['address']} for row in addresses]
    item['security_groups'] = groups
    item['dns_assignment'] = [_assignment(item['dns_name'], row['address'], domain) for row in addresses]
    item['allowed_address_pairs'] = [{'mac_address': item['mac_address'], **pair}
                                     for pair in item['allowed_address_pairs']]


def _assignment(name: str, address: str, domain: str) -> dict[str, str]:
    hostname = name or f'host-{address.replace(".", "-").replace(":", "-")}'
    return {'hostname': hostname, 'ip_address': address, 'fqdn': f'{hostname}.{domain.strip(".")}.'}


def _groups(connection: Connection, items: list[Item], ids: list[str], options: Any, wanted: Collection[str]) -> None:
    found: dict[Any, list[Row]] = {}
    if _needs(wanted, 'security_group_rules'):
        table = t.security_group_rules
        found = by_key(_children(connection, table, table.c.group_id, ids, table.c.created_at, table.c.id), 'group_id')
    for item in items:
        rules = [RULE.shown(row) for row in found.get(item['id'], [])]
        _rules(connection, rules, [], options, ())
        item.update(security_group_rules=rules, stateful=True, shared=False)


def _rules(connection: Connection, items: list[Item], ids: list[str], options: Any, wanted: Collection[str]) -> None:
    for item in items:
        item.update(remote_address_group_id=None, normalized_cidr=_normalized(item['remote_ip_prefix']))


def _normalized(prefix: str | None) -> str | None:
    return None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))


_EXTRAS = {NETWORK.name: _networks, SUBNET.name: _subnets, PORT.name: _ports, GROUP.name: _groups, RULE.name: _rules}
