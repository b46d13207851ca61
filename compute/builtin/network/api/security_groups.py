"""Security groups and their rules."""

from __future__ import annotations

import re
from typing import Any

from compute.builtin.network.api.nouns import Noun, query_of, seen_by
from compute.builtin.network.api.schema import BOOL, ID, NULL, OWNER, TEXT_OR_NULL, one_or_many, stored
from compute.builtin.network.control import groups, projects, rules
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db.kinds import GROUP, RULE
from compute.builtin.network.db.rows import Row
from compute.builtin.network.db.scope import visible
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

GROUPS, RULES = Noun(GROUP, '/security-groups'), Noun(RULE, '/security-group-rules')

_PORT = {'type': ['integer', 'string', 'null'], 'maxLength': 255}
_GROUP = {'type': 'string', 'maxLength': 255}
_PREFIX = {'type': ['string', 'null'], 'maxLength': 64}
CREATE_GROUP = one_or_many(GROUP, fields({
    **OWNER, 'name': TEXT_OR_NULL, 'description': TEXT_OR_NULL, 'stateful': BOOL}))
UPDATE_GROUP = Body('security_group', fields({'name': TEXT_OR_NULL, 'description': TEXT_OR_NULL, 'stateful': BOOL}))
CREATE_RULE = one_or_many(RULE, fields({
    **OWNER, 'security_group_id': Required(_GROUP), 'direction': Required({'enum': ['ingress', 'egress']}),
    'ethertype': {'enum': ['IPv4', 'IPv6', 'ipv4', 'ipv6', 'IPV4', 'IPV6', None]},
    'protocol': {'type': ['string', 'integer', 'null'], 'maxLength': 40},
    'port_range_min': _PORT, 'port_range_max': _PORT,
    'remote_ip_prefix': _PREFIX, 'remote_group_id': {'anyOf': [_GROUP, NULL]}, 'remote_address_group_id': NULL,
    'description': TEXT_OR_NULL}))


def list_groups(call: Call) -> dict[str, Any]:
    """List groups; the default group of the project in question is made if this is its first use."""
    ensure_default(call)
    return GROUPS.page(call)


def ensure_default(call: Call) -> None:
    """Make the default group of the caller's project, or of the one that an administrator filters by."""
    asked = [value for name in ('project_id', 'tenant_id') for value in call.query.get(name, [])]
    project_id = asked[0] if asked and seen_by(call) is None else call.context.project_id
    if project_id and not call.app.look(lambda work: projects.has_default_group(work, project_id)):
        call.app.do(lambda work: projects.default_group(work, project_id))


def create_group(call: Call) -> dict[str, Any]:
    """Make groups."""
    return GROUPS.create(call, groups.create, _group)


def update_group(call: Call) -> dict[str, Any]:
    """Change one."""
    attributes = _group(call.body)
    call.app.do(lambda work: groups.update(work, call.target['id'], attributes))
    return GROUPS.answer(call, call.target['id'])


def delete_group(call: Call) -> None:
    """Delete one."""
    may_default = call.may('delete_default_security_group')
    call.app.do(lambda work: groups.delete(work, call.target['id'], may_default=may_default))


def create_rule(call: Call) -> dict[str, Any]:
    """Add rules to groups that the caller may change."""
    scope = visible(GROUP, seen_by(call))

    def make(work: Work, item: dict[str, Any]) -> Row:
        group = rows.get(work.connection, GROUP, item['security_group_id'], scope=scope)
        # A rule counts for the owner of its group, whoever adds it.
        return rules.create(work, {**item, 'project_id': group['project_id']}, scope)
    return RULES.create(call, make, _rule)


def delete_rule(call: Call) -> None:
    """Take one away."""
    call.app.do(lambda work: rules.delete(work, call.target['id']))


def _group(item: dict[str, Any]) -> dict[str, Any]:
    found = stored(GROUP, item)
    if str(found.pop('stateful', True)).lower() != 'true':
        raise Invalid('stateful: only groups whose rules follow connections (true) are served here',
                      details={'type': 'InvalidInput'})
    return found


def _rule(item: dict[str, Any]) -> dict[str, Any]:
    found = stored(RULE, {**item, **{name: _port(item.get(name)) for name in ('port_range_min', 'port_range_max')}})
    for name in ('security_group_id', 'remote_group_id'):
        # What has not the form of an id is the id of nothing.
        if found.get(name) is not None and not re.fullmatch(ID['pattern'], found[name]):
            raise rows.missing(GROUP, found[name])
    found.pop('remote_address_group_id', None)
    return found


def _port(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, str) and not re.fullmatch('[0-9]{1,5}', value, re.ASCII):
        raise rules.invalid_port(repr(value[:50]))
    if not 0 <= int(value) <= 65535:
        raise rules.invalid_port(value)
    return int(value)


RESOURCE = Resource('security-groups', (
    Op('GET', '/security-groups', list_groups, 'get_security_group', query=query_of(GROUP)),
    Op('POST', '/security-groups', create_group, 'create_security_group', 201, CREATE_GROUP),
    Op('GET', '/security-groups/{id}', GROUPS.show, 'get_security_group', query=query_of(GROUP), loads=GROUPS.load),
    Op('PUT', '/security-groups/{id}', update_group, 'update_security_group', body=UPDATE_GROUP, loads=GROUPS.load),
    Op('DELETE', '/security-groups/{id}', delete_group, 'delete_security_group', 204, loads=GROUPS.load),
    Op('GET', '/security-group-rules', RULES.page, 'get_security_group_rule', query=query_of(RULE)),
    Op('POST', '/security-group-rules', create_rule, 'create_security_group_rule', 201, CREATE_RULE),
    Op('GET', '/security-group-rules/{id}', RULES.show, 'get_security_group_rule', query=query_of(RULE),
       loads=RULES.load),
    Op('DELETE', '/security-group-rules/{id}', delete_rule, 'delete_security_group_rule', 204, loads=RULES.load)))
