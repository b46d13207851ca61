"""Ports."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.api import port_rights
from compute.builtin.network.api.nouns import Noun, query_of, seen_by
from compute.builtin.network.api.schema import (
    ADDRESS,
    BOOL,
    DOMAIN,
    EMPTY,
    ID,
    NULL,
    OWNER,
    TAGS,
    TEXT_OR_NULL,
    one_or_many,
    stored,
)
from compute.builtin.network.control import addresses, addressing, ports, tags
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db.kinds import GROUP, NETWORK, PORT, Clause
from compute.builtin.network.db.present import new_port
from compute.builtin.network.db.scope import visible
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import ListOf, Required, fields
from compute.rest.op import Body, Op, Resource

NOUN = Noun(PORT, '/ports')

_FIXED_IP = fields({'subnet_id': ID, 'ip_address': ADDRESS}, rules={'minProperties': 1})
_MAC = {'type': ['string', 'null'], 'maxLength': 64}
_PAIR = fields({'ip_address': Required(ADDRESS), 'mac_address': _MAC})
_SETTABLE = {
    'name': TEXT_OR_NULL, 'description': TEXT_OR_NULL, 'admin_state_up': BOOL, 'mac_address': _MAC,
    'fixed_ips': ListOf(_FIXED_IP, {'maxItems': 20, 'type': ['array', 'null']}),
    'device_id': TEXT_OR_NULL, 'device_owner': TEXT_OR_NULL, 'dns_name': DOMAIN, 'port_security_enabled': BOOL,
    'security_groups': {'type': ['array', 'null'], 'items': ID, 'maxItems': 50},
    'allowed_address_pairs': ListOf(_PAIR, {'maxItems': 50, 'type': ['array', 'null']}),
    'binding:host_id': TEXT_OR_NULL, 'binding:vnic_type': {'type': ['string', 'null'], 'maxLength': 64},
    'binding:profile': {'type': ['object', 'null'], 'maxProperties': 50}, 'extra_dhcp_opts': EMPTY,
    'qos_policy_id': NULL}
CREATE = one_or_many(PORT, fields({**_SETTABLE, **OWNER, 'network_id': Required(ID),
                                   'tags': {**TAGS, 'type': ['array', 'null']}}))
UPDATE = Body('port', fields(_SETTABLE))


def list_(call: Call) -> dict[str, Any]:
    """List ports; MACs and addresses to filter by may be spelled in any way."""
    for name, read in (('mac_address', _mac), ('fixed_ips', _fixed_ip)):
        if name in call.query:
            call.query[name] = [read(text) for text in call.query[name]]
    return NOUN.page(call)


def create(call: Call) -> dict[str, Any]:
    """Make ports, on the caller's and on shared networks."""
    scope = visible(NETWORK, seen_by(call))

    def make(work: Work, item: dict[str, Any]) -> dict[str, Any]:
        network = rows.get(work.connection, NETWORK, item['network_id'], scope=scope)
        port_rights.demand_create(call, item, network)
        made = ports.create(work, network, item, _groups(call))
        row = made.port
        if item.get('tags'):
            tags.replace(work, PORT, row['id'], item['tags'])
            row = rows.get(work.connection, PORT, row['id'])
        return new_port(row, made.addresses, made.groups, item.get('tags') or (), network, work.options)
    # The answer is made of what was written: to read it again would cost as much as to write it.
    return NOUN.answered(call, NOUN.make(call, make, _stored))


def update(call: Call) -> dict[str, Any]:
    """Change one."""
    attributes = _stored(call.body)
    held = call.app.look(lambda work: addresses.of_port(work, call.target['id'])) if 'fixed_ips' in attributes else ()
    port_rights.demand_update(call, attributes, [row['address'] for row in held])
    call.app.do(lambda work: ports.update(work, call.target['id'], attributes, _groups(call)))
    return NOUN.answer(call, call.target['id'])


def delete(call: Call) -> None:
    """Delete one. When Compute does it itself, for a server that it deletes, it need not be told."""
    port_rights.demand_delete(call)
    told = 'service' not in (call.context.roles or ())
    call.app.do(lambda work: ports.delete(work, call.target['id'], told=told))


def _mac(text: str) -> str:
    """Return a MAC in canonical form; other texts, which match no port, unchanged."""
    try:
        return addressing.mac_of(text)
    except Invalid:
        return text


def _fixed_ip(text: str) -> str:
    key, _, value = text.partition('=')
    try:
        return f'{key}={addressing.address_of(value)}' if key == 'ip_address' else text
    except Invalid:
        return text


def _groups(call: Call) -> Clause:
    return visible(GROUP, seen_by(call))


def _stored(item: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as the store has them; null means as if it were not said, or an empty list."""
    found = stored(PORT, item)
    found.update({name: item[name] for name in ('mac_address', 'binding:vnic_type') if name in item})
    for name in ('extra_dhcp_opts', 'qos_policy_id'):
        found.pop(name, None)
    if 'fixed_ips' in found and found['fixed_ips'] is None:
        del found['fixed_ips']
    return found


RESOURCE = Resource('ports', (
    Op('GET', '/ports', list_, 'get_port', query=query_of(PORT)),
    Op('POST', '/ports', create, 'create_port', 201, CREATE),
    Op('GET', '/ports/{id}', NOUN.show, 'get_port', query=query_of(PORT), loads=NOUN.load),
    Op('PUT', '/ports/{id}', update, 'update_port', body=UPDATE, loads=NOUN.load),
    Op('DELETE', '/ports/{id}', delete, 'delete_port', 204, loads=NOUN.load)))
