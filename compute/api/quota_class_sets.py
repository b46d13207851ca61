"""Quotas of classes. Only the class ``default`` has an effect: it is what projects have unless they are given more."""

from __future__ import annotations

from typing import Any

from compute.api.quota_sets import keys, limits, read_limits
from compute.api.schema import MAX_NAME, STRING
from compute.db import quotas
from compute.exception import Invalid
from compute.policies import quota_class_sets as policy
from compute.rest.call import Call
from compute.rest.fields import Since, fields
from compute.rest.op import Body, Op, Resource, View

_KEYS = {**keys('2.50'), 'server_groups': Since('2.50', {}), 'server_group_members': Since('2.50', {})}
UPDATE = Body('quota_class_set', fields({**keys('2.50', ('networks',))}))
_VIEW = View('quota_class_set', fields(_KEYS, id=STRING))


def show(call: Call) -> Any:
    """Show the quotas of a class."""
    return {'quota_class_set': {'id': _name(call), **_read(call)}}


def update(call: Call) -> Any:
    """Set quotas of a class."""
    name, wanted = _name(call), read_limits(call.body)
    def write(connection: Any) -> None:
        for resource, limit in wanted.items():
            quotas.set_class_limit(connection, name, resource, limit)
    call.app.db.transaction(write)
    return {'quota_class_set': _read(call)}


def _name(call: Call) -> str:
    name = call.path['id']
    if len(name) > MAX_NAME:
        raise Invalid(f'The name of a quota class has {MAX_NAME} characters at most; this one has {len(name)}',
                      code='invalid_input')
    return name


def _read(call: Call) -> dict[str, int]:
    found = call.app.db.read(lambda connection: quotas.class_limits(connection, call.app.conf, call.path['id']))
    return limits({name: value for name, value in found.items() if name != 'networks'})


_ONE = '/os-quota-class-sets/{id}'

RESOURCE = Resource('os-quota-class-sets', (
    Op('GET', _ONE, show, view=_VIEW, policy=policy.SHOW),
    Op('PUT', _ONE, update, body=UPDATE, view=_VIEW, policy=policy.UPDATE),
))
