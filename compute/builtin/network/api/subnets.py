"""Subnets."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.api.nouns import Noun, demand_attributes, query_of, seen_by, with_network
from compute.builtin.network.api.schema import ADDRESS, BOOL, EMPTY, ID, NULL, OWNER, TEXT_OR_NULL, one_or_many, stored
from compute.builtin.network.control import subnets
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db.kinds import NETWORK, SUBNET
from compute.builtin.network.db.rows import Row
from compute.builtin.network.db.scope import visible
from compute.rest.call import Call
from compute.rest.fields import ListOf, Required, fields
from compute.rest.op import Body, Op, Resource

NOUN = Noun(SUBNET, '/subnets')

_POOL = fields({'start': Required(ADDRESS), 'end': Required(ADDRESS)})
_ROUTE = fields({'destination': Required(ADDRESS), 'nexthop': Required(ADDRESS)})
_MODE = {'enum': ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless', None]}
_SETTABLE = {
    'name': TEXT_OR_NULL, 'description': TEXT_OR_NULL, 'enable_dhcp': BOOL,
    'gateway_ip': {'type': ['string', 'null'], 'maxLength': 64},
    'allocation_pools': ListOf(_POOL, {'maxItems': 100, 'type': ['array', 'null']}),
    'dns_nameservers': {'type': ['array', 'null'], 'items': ADDRESS, 'maxItems': 100},
    'host_routes': ListOf(_ROUTE, {'maxItems': 100, 'type': ['array', 'null']}), 'service_types': EMPTY}
CREATE = one_or_many(SUBNET, fields({
    **_SETTABLE, **OWNER, 'network_id': Required(ID), 'cidr': Required(ADDRESS),
    'ip_version': {'enum': [4, 6, '4', '6']},
    'ipv6_ra_mode': _MODE, 'ipv6_address_mode': _MODE, 'subnetpool_id': NULL, 'prefixlen': NULL, 'segment_id': NULL}))
UPDATE = Body('subnet', fields({**_SETTABLE, 'segment_id': NULL}))


def create(call: Call) -> dict[str, Any]:
    """Make subnets; only the owner of a network may, and administrators."""
    scope = visible(NETWORK, seen_by(call))

    def make(work: Work, item: dict[str, Any]) -> Row:
        rows.get(work.connection, NETWORK, item['network_id'], scope=scope)
        demand_attributes(call, 'create_subnet', item, with_network(work, {'network_id': item['network_id']}))
        return subnets.create(work, item)
    return NOUN.create(call, make, _stored)


def update(call: Call) -> dict[str, Any]:
    """Change one."""
    attributes = _stored(call.body)
    call.app.do(lambda work: subnets.update(work, call.target['id'], attributes))
    return NOUN.answer(call, call.target['id'])


def delete(call: Call) -> None:
    """Delete one."""
    call.app.do(lambda work: subnets.delete(work, call.target['id']))


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    found = stored(SUBNET, item)
    found.update({name: item[name] for name in ('allocation_pools',) if name in item})
    return {name: value for name, value in found.items()
            if name not in ('service_types', 'subnetpool_id', 'prefixlen', 'segment_id')}


RESOURCE = Resource('subnets', (
    Op('GET', '/subnets', NOUN.page, 'get_subnet', query=query_of(SUBNET)),
    Op('POST', '/subnets', create, 'create_subnet', 201, CREATE),
    Op('GET', '/subnets/{id}', NOUN.show, 'get_subnet', query=query_of(SUBNET), loads=NOUN.load),
    Op('PUT', '/subnets/{id}', update, 'update_subnet', body=UPDATE, loads=NOUN.load),
    Op('DELETE', '/subnets/{id}', delete, 'delete_subnet', 204, loads=NOUN.load)))
