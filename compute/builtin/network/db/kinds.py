"""The nouns of the API as data: which attribute is which column, and what else can be filtered by.

Lists, views, filters and sorting all read these tables, so an attribute is added in one line.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from compute.builtin.network.db import tables as t
from compute.builtin.network.db.booleans import truth

Clause = sa.ColumnElement[bool]
Special = Callable[[list[str]], Clause]


@dataclass(frozen=True)
class Kind:
    """A noun. ``columns`` maps attributes to columns; ``specials`` makes clauses of filters that are no column."""

    name: str
    collection: str
    table: sa.Table
    columns: Mapping[str, sa.Column[Any]]
    specials: Mapping[str, Special] = field(default_factory=dict)

    def values(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what of ``attributes`` is stored, by column."""
        return {column.name: attributes[name] for name, column in self.columns.items() if name in attributes}

    def shown(self, row: Any) -> dict[str, Any]:
        """Return a row as its attributes."""
        item = {name: _plain(row[column.name]) for name, column in self.columns.items()}
        if 'project_id' in item:
            item['tenant_id'] = item['project_id']
        return item

    def column(self, attribute: str) -> sa.Column[Any] | None:
        """Return the column that an attribute is filtered and sorted by, None if it is none."""
        column = self.columns.get('project_id' if attribute == 'tenant_id' else attribute)
        return None if column is None or isinstance(column.type, sa.JSON) else column


def _plain(value: Any) -> Any:
    return f'{value.isoformat(timespec="seconds")}Z' if isinstance(value, datetime.datetime) else value


def _columns(table: sa.Table, **renamed: str) -> dict[str, sa.Column[Any]]:
    """Map every column under its own name, or under the attribute that ``renamed`` gives for it."""
    names = {column: str(column.name) for column in table.columns}
    return {renamed.get(name, name): column for column, name in names.items()}


def _tagged(table: sa.Table) -> dict[str, Special]:
    def has(tag: str) -> Clause:
        return sa.exists().where(t.tags.c.resource_id == table.c.id, t.tags.c.tag == tag)

    def whole_or(value: str, joined: Clause) -> Clause:
        # A comma lists tags, and a tag may have one itself: a value with commas is also that tag.
        return sa.or_(joined, has(value)) if ',' in value else joined

    def every(values: list[str]) -> Clause:
        return sa.and_(sa.true(), *(whole_or(value, sa.and_(sa.true(), *map(has, _split(value)))) for value in values
                                    if _split(value)))

    def some(values: list[str]) -> Clause:
        clauses = [whole_or(value, sa.or_(*map(has, _split(value)))) for value in values if _split(value)]
        return sa.or_(*clauses) if clauses else sa.true()

    def unless(fits: Special) -> Special:
        return lambda values: sa.not_(fits(values)) if any(map(_split, values)) else sa.true()
    return {'tags': every, 'tags-any': some, 'not-tags': unless(every), 'not-tags-any': unless(some)}


def _split(value: str) -> list[str]:
    return [tag for tag in value.split(',') if tag]


def _by_fixed_ip(values: list[str]) -> Clause:
    """Ports with an address that meets every ``key=value``; the same key again means or."""
    wanted: dict[str, list[str]] = {}
    for value in values:
        key, _, text = value.partition('=')
        wanted.setdefault(key, []).append(text)
    parts = {'ip_address': lambda texts: t.addresses.c.address.in_([text.lower() for text in texts]),
             'subnet_id': lambda texts: t.addresses.c.subnet_id.in_(texts),
             'ip_address_substr': lambda texts: sa.or_(*(t.addresses.c.address.contains(text) for text in texts))}
    clauses = [parts[key](texts) if key in parts else sa.false() for key, texts in wanted.items()]
    return sa.exists().where(t.addresses.c.port_id == t.ports.c.id, *clauses)


def _of_network(name: str, column: sa.Column[bool]) -> Special:
    """Return the filter of subnets by a boolean of their networks."""
    return lambda values: t.subnets.c.network_id.in_(sa.select(t.networks.c.id).where(
        column.in_([truth(name, value) for value in values])))


def _by_group(values: list[str]) -> Clause:
    return sa.exists().where(t.port_groups.c.port_id == t.ports.c.id, t.port_groups.c.group_id.in_(values))


NETWORK = Kind('network', 'networks', t.networks, _columns(
    t.networks, external='router:external', network_type='provider:network_type',
    physical_network='provider:physical_network', segmentation_id='provider:segmentation_id'), _tagged(t.networks))

SUBNET = Kind('subnet', 'subnets', t.subnets, _columns(t.subnets), {
    **_tagged(t.subnets), 'router:external': _of_network('router:external', t.networks.c.external),
    'shared': _of_network('shared', t.networks.c.shared)})

PORT = Kind('port', 'ports', t.ports, _columns(
    t.ports, host='binding:host_id', vnic_type='binding:vnic_type', vif_type='binding:vif_type',
    vif_details='binding:vif_details', profile='binding:profile'),
    {**_tagged(t.ports), 'fixed_ips': _by_fixed_ip, 'security_groups': _by_group, 'security_group_ids': _by_group})

GROUP = Kind('security_group', 'security_groups', t.security_groups, _columns(t.security_groups), {
    **_tagged(t.security_groups),
    # Groups cannot be shared, so the filter selects all of them or none.
    'shared': lambda values: sa.false() if truth('shared', values[-1]) else sa.true()})

RULE = Kind('security_group_rule', 'security_group_rules', t.security_group_rules, {
    name: column for name, column in _columns(t.security_group_rules, group_id='security_group_id').items()
    if name not in ('name', 'rule_key')})

KINDS = {kind.collection: kind for kind in (NETWORK, SUBNET, PORT, GROUP, RULE)}
