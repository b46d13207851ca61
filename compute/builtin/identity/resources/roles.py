"""Roles, and which role implies which."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db import assignments, nouns
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.removal import remove_role
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.db.tables import implied_roles
from compute.builtin.identity.resources.shapes import (
    ID,
    NAME,
    OPTIONS,
    TEXT,
    filters_of,
    listing_query,
    member,
    most_of,
    page,
)
from compute.exception import Forbidden, Invalid, NotFound
from compute.rest.call import Call
from compute.rest.claims import is_role_name
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/roles'
_ONE = '/roles/{role_id}'
_IMPLIED = '/roles/{role_id}/implies/{implied_id}'
_FIELDS: dict[str, Any] = {'description': TEXT, 'options': OPTIONS,
                           'domain_id': {'type': ['string', 'null'], 'maxLength': 64}}
_CREATE = Body('role', fields(_FIELDS, name=Required(NAME), extra=True))
_UPDATE = Body('role', fields(_FIELDS, name=NAME, extra=True))


def load(call: Call) -> Row:
    """Load a role."""
    found: Row = call.app.read(nouns.ROLES.get, call.path['role_id'])
    return found


def shown(call: Call, row: Row) -> Row:
    """Return a role as answers have it."""
    return member(call, _PATH, row)


def index(call: Call) -> dict[str, Any]:
    """List the roles of no domain, or those of one."""
    return page(call, nouns.ROLES, _PATH, 'roles', {'domain_id': None, **filters_of(call)}, shown)


def show(call: Call) -> dict[str, Any]:
    """Show a role."""
    return {'role': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a role."""
    values = _accepted(call)

    def store(db: Any) -> Row:
        if values.get('domain_id'):
            nouns.DOMAINS.get(db, values['domain_id'])
        return nouns.ROLES.insert(db, values)
    return {'role': shown(call, call.app.write(store))}


def update(call: Call) -> dict[str, Any]:
    """Change a role; a new name ends the tokens that carry the old one."""
    changes = _accepted(call)
    if changes.pop('domain_id', call.target['domain_id']) != call.target['domain_id']:
        raise Invalid(f'domain_id cannot be changed; it is {call.target["domain_id"]}')

    def change(db: Any) -> Row:
        row = nouns.ROLES.update(db, call.target['id'], changes)
        if row['name'] != call.target['name']:
            revoke(db, 'role', row['id'])
        return row
    return {'role': shown(call, call.app.write(change))}


def delete(call: Call) -> None:
    """Delete a role wherever it was given."""
    call.app.write(lambda db: remove_role(db, call.target['id']))


def inferences(call: Call) -> dict[str, Any]:
    """List which roles imply which."""
    pairs, cut = _implications(call)
    found: dict[str, list[Row]] = {}
    for prior, implied in pairs:
        found.setdefault(prior['id'], [prior]).append(implied)
    return {'role_inferences': [{'prior_role': prior, 'implies': implied} for prior, *implied in found.values()],
            'links': {'self': call.link('/role_inferences')}, **cut}


def index_implied(call: Call) -> dict[str, Any]:
    """List the roles that one implies directly."""
    pairs, cut = _implications(call, call.target['id'])
    return {'role_inference': {'prior_role': _brief(call, call.target), 'implies': [implied for _, implied in pairs]},
            'links': {'self': call.link(f'{_PATH}/{call.target["id"]}/implies')}, **cut}


def _implications(call: Call, prior_id: str | None = None) -> tuple[list[tuple[Row, Row]], dict[str, bool]]:
    """Return pairs of roles of which one implies the other, and what an answer says if there are more."""
    most = most_of(call)

    def read(db: sa.Connection) -> tuple[list[tuple[str, str]], dict[str, Row]]:
        pairs = assignments.implications(db, most, prior_id)
        return pairs, nouns.ROLES.of_ids(db, {role for pair in pairs for role in pair})
    pairs, found = call.app.read(read)
    named = {role: _brief(call, row) for role, row in found.items()}
    there = [(named[prior], named[implied]) for prior, implied in pairs[:most - 1] if {prior, implied} <= named.keys()]
    return there, {'truncated': True} if len(pairs) >= most else {}


def show_implied(call: Call) -> dict[str, Any]:
    """Show that one role implies another."""
    prior, implied = call.target, call.app.read(nouns.ROLES.get, call.path['implied_id'])
    if not call.app.read(assignments.implies, prior['id'], implied['id']):
        raise NotFound(f'Role {prior["id"]} does not imply role {implied["id"]}.')
    return {'role_inference': {'prior_role': _brief(call, prior), 'implies': _brief(call, implied)},
            'links': {'self': call.link(f'{_PATH}/{prior["id"]}/implies/{implied["id"]}')}}


def put_implied(call: Call) -> dict[str, Any]:
    """Let one role imply another."""
    prior = call.target['id']

    def put(db: Any) -> None:
        implied = nouns.ROLES.get(db, call.path['implied_id'])
        if implied['name'] == 'admin':
            raise Forbidden('The role admin cannot be implied by another.')
        if implied['domain_id'] not in (None, call.target['domain_id']):
            raise Forbidden(f'Role {implied["id"]} is of domain {implied["domain_id"]} and cannot be implied outside '
                            'of it.')
        if prior in assignments.with_implied(db, {implied['id']}):
            raise Invalid(f'Role {implied["id"]} implies role {prior} already; a circle is not possible')
        if not assignments.implies(db, prior, implied['id']):
            db.execute(implied_roles.insert().values(prior_id=prior, implied_id=implied['id']))
    call.app.write(put)
    return show_implied(call)


def delete_implied(call: Call) -> None:
    """Let one role no longer imply another; tokens that may have it only so end."""
    show_implied(call)

    def remove(db: Any) -> None:
        db.execute(implied_roles.delete().where(sa.and_(implied_roles.c.prior_id == call.target['id'],
                                                        implied_roles.c.implied_id == call.path['implied_id'])))
        for role in assignments.with_implied(db, {call.path['implied_id']}):
            revoke(db, 'role', role)
    call.app.write(remove)


def _accepted(call: Call) -> Row:
    values = nouns.ROLES.accepted(call.body)
    if 'name' in values and not is_role_name(values['name']):
        raise Invalid(f'name is {values["name"]!r}: the name of a role has no comma, no control character and no '
                      'whitespace at its ends, because names of roles are sent in a list with commas')
    return values


def _brief(call: Call, row: Row) -> Row:
    return member(call, _PATH, {'id': row['id'], 'name': row['name'], 'description': row['description']})


ROLES = Resource('roles', (
    Op('GET', _PATH, index, policy='identity:list_roles', query=listing_query(name=NAME, domain_id=ID)),
    Op('POST', _PATH, create, policy='identity:create_role', status=201, body=_CREATE),
    Op('GET', _ONE, show, policy='identity:get_role', loads=load),
    Op('PATCH', _ONE, update, policy='identity:update_role', loads=load, body=_UPDATE),
    Op('DELETE', _ONE, delete, policy='identity:delete_role', loads=load, status=204),
    Op('GET', '/role_inferences', inferences, policy='identity:list_role_inference_rules'),
    Op('GET', '/roles/{role_id}/implies', index_implied, policy='identity:get_implied_role', loads=load),
    Op('GET', _IMPLIED, show_implied, policy='identity:get_implied_role', loads=load),
    Op('PUT', _IMPLIED, put_implied, policy='identity:create_implied_role', loads=load, status=201),
    Op('DELETE', _IMPLIED, delete_implied, policy='identity:delete_implied_role', loads=load, status=204),
))
