"""Extra specs of flavors: what a server of the flavor needs besides its size, as keys and values."""

from __future__ import annotations

from typing import Any

from compute.api import extra_specs
from compute.api.flavors import load
from compute.db import flavors
from compute.exception import Invalid, NotFound
from compute.objects.flavor import Flavor
from compute.policies import flavor_extra_specs as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource
from compute.rest.versions import window

_VALUE = {'type': ['string', 'number'], 'maxLength': 255}
_SPECS = {'patternProperties': {r'^[a-zA-Z0-9-_:. ]{1,255}\Z': _VALUE}}
_MANY = Body(None, fields(extra_specs=Required({'type': 'object', 'additionalProperties': False, **_SPECS})))
_SINGLE = Body(None, fields(rules={**_SPECS, 'minProperties': 1, 'maxProperties': 1}))
_CHECKED = {'checked': window('2.86')}


def index(call: Call) -> Any:
    """List the extra specs of a flavor."""
    return {'extra_specs': load(call).extra_specs}


def show(call: Call) -> Any:
    """Show one extra spec."""
    key = call.path['key']
    specs = load(call).extra_specs
    if key not in specs:
        raise NotFound(f'Flavor {call.path["id"]} has no extra specs with key {key}.')
    return {key: specs[key]}


def create(call: Call) -> Any:
    """Add extra specs, or change those that are there, and answer what was sent."""
    specs = _sent(call, call.body['extra_specs'])
    _set(call, specs)
    return {'extra_specs': specs}


def update(call: Call) -> Any:
    """Change one extra spec, whose key must be the URL's."""
    specs = _sent(call, call.body)
    if call.path['key'] not in specs:
        raise Invalid('Request body and URI mismatch')
    _set(call, specs)
    return specs


def delete(call: Call) -> None:
    """Remove one extra spec."""
    call.app.db.transaction(lambda connection: flavors.change(
        connection, call.path['id'], drop_spec=call.path['key']))


def _sent(call: Call, specs: dict[str, Any]) -> dict[str, str]:
    if call.facts['checked']:
        extra_specs.validate(specs)
    return {key: str(value) for key, value in specs.items()}


def _set(call: Call, specs: dict[str, str]) -> Flavor:
    return call.app.db.transaction(lambda connection: flavors.change(connection, call.path['id'], extra_specs=specs))


_ALL, _ONE = '/flavors/{id}/os-extra_specs', '/flavors/{id}/os-extra_specs/{key}'

RESOURCE = Resource('flavor-extra-specs', (
    Op('GET', _ALL, index, policy=policy.INDEX),
    Op('POST', _ALL, create, body=_MANY, policy=policy.CREATE, facts=_CHECKED),
    Op('GET', _ONE, show, policy=policy.SHOW),
    Op('PUT', _ONE, update, body=_SINGLE, policy=policy.UPDATE, facts=_CHECKED),
    Op('DELETE', _ONE, delete, policy=policy.DELETE),
))
