"""Networks."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.api.nouns import Noun, demand_attributes, query_of
from compute.builtin.network.api.schema import BOOL, DOMAIN, INTEGER, NULL, OWNER, TEXT_OR_NULL, one_or_many, stored
from compute.builtin.network.control import networks
from compute.builtin.network.db.kinds import NETWORK
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Body, Op, Resource

NOUN = Noun(NETWORK, '/networks')

_SETTABLE = {
    'name': TEXT_OR_NULL, 'description': TEXT_OR_NULL, 'admin_state_up': BOOL, 'shared': BOOL, 'router:external': BOOL,
    'is_default': BOOL, 'port_security_enabled': BOOL, 'dns_domain': DOMAIN,
    'mtu': INTEGER,
    'provider:network_type': {'type': ['string', 'null'], 'maxLength': 16},
    'provider:physical_network': {'type': ['string', 'null'], 'maxLength': 64},
    'provider:segmentation_id': INTEGER}
CREATE = one_or_many(NETWORK, fields({
    **_SETTABLE, **OWNER, 'availability_zone_hints': {'type': ['array', 'null'], 'items': TEXT_OR_NULL, 'maxItems': 10},
    'qos_policy_id': NULL}))
UPDATE = Body('network', fields({**_SETTABLE, 'qos_policy_id': NULL}))


def create(call: Call) -> dict[str, Any]:
    """Make networks."""
    return NOUN.create(call, networks.create, lambda item: _checked(call, 'create_network', item, {}))


def update(call: Call) -> dict[str, Any]:
    """Change one."""
    attributes = _checked(call, 'update_network', call.body, call.target)
    call.app.do(lambda work: networks.update(work, call.target['id'], attributes))
    return NOUN.answer(call, call.target['id'])


def delete(call: Call) -> None:
    """Delete one with its subnets."""
    call.app.do(lambda work: networks.delete(work, call.target['id']))


def _checked(call: Call, action: str, item: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    found = stored(NETWORK, item)
    for name in ('provider:network_type', 'mtu'):
        if name in found and found[name] in (None, ''):
            del found[name]
    # What is as it would be anyway needs no permission: clients send shared=False with every network.
    harmless = {name for name in ('shared', 'router:external', 'is_default')
                if name in found and found[name] == target.get(NETWORK.columns[name].name, False)}
    demand_attributes(call, action, {name: found[name] for name in found.keys() - harmless}, target)
    return found


RESOURCE = Resource('networks', (
    Op('GET', '/networks', NOUN.page, 'get_network', query=query_of(NETWORK)),
    Op('POST', '/networks', create, 'create_network', 201, CREATE),
    Op('GET', '/networks/{id}', NOUN.show, 'get_network', query=query_of(NETWORK), loads=NOUN.load),
    Op('PUT', '/networks/{id}', update, 'update_network', body=UPDATE, loads=NOUN.load),
    Op('DELETE', '/networks/{id}', delete, 'delete_network', 204, loads=NOUN.load)))
