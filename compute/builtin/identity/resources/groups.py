"""Groups of users: members of a group have its roles."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.db import groups, nouns
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.removal import remove_group
from compute.builtin.identity.resources import projects, users
from compute.builtin.identity.resources.domains import own
from compute.builtin.identity.resources.shapes import (
    FLAG,
    ID,
    NAME,
    SHORT_NAME,
    TEXT,
    described,
    filters_of,
    listing_query,
    page,
)
from compute.exception import NotFound
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/groups'
_ONE = '/groups/{group_id}'
_MEMBERS = '/groups/{group_id}/users'
_MEMBER = '/groups/{group_id}/users/{user_id}'
_CREATE = Body('group', fields(name=Required(SHORT_NAME), description=TEXT, domain_id=ID, options=fields(), extra=True))
_UPDATE = Body('group', fields(name=SHORT_NAME, description=TEXT, domain_id=ID, options=fields(), extra=True))


def load(call: Call) -> Row:
    """Load a group."""
    found: Row = call.app.read(nouns.GROUPS.get, call.path['group_id'])
    return found


def load_member(call: Call) -> Row:
    """Load a group for an operation on a membership; a domain reader needs both in its domain."""
    group, user = load(call), call.app.read(nouns.USERS.get, call.path['user_id'])
    if group['domain_id'] != user['domain_id']:
        group.pop('domain_id')
    return {**group, 'user_id': user['id']}


def shown(call: Call, row: Row) -> Row:
    """Return a group as answers have it."""
    found = described(call, _PATH, row)
    found.pop('options')
    return found


def index(call: Call) -> dict[str, Any]:
    """List groups."""
    filters = filters_of(call)
    if call.context.domain_id and not call.context.is_admin:
        filters['domain_id'] = call.context.domain_id
    return page(call, nouns.GROUPS, _PATH, 'groups', filters, shown)


def show(call: Call) -> dict[str, Any]:
    """Show a group."""
    return {'group': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a group, by default in the domain of the caller's project."""
    values = nouns.GROUPS.accepted(call.body)
    values.setdefault('domain_id', projects.default_domain(call))

    def store(db: Any) -> Row:
        nouns.DOMAINS.get(db, values['domain_id'])
        return nouns.GROUPS.insert(db, values)
    return {'group': shown(call, call.app.write(store))}


def update(call: Call) -> dict[str, Any]:
    """Change a group."""
    changes = nouns.GROUPS.accepted(call.body)
    projects.same_domain(call, changes)
    return {'group': shown(call, call.app.write(lambda db: nouns.GROUPS.update(db, call.target['id'], changes)))}


def delete(call: Call) -> None:
    """Delete a group; the tokens that have roles of it end."""
    call.app.write(lambda db: remove_group(db, call.target['id']))


def index_users(call: Call) -> dict[str, Any]:
    """List the users in a group."""
    group = call.target['id']

    def read(db: Any, filters: Row, **pages: Any) -> list[Row]:
        return groups.members(db, group, filters, **pages)
    return page(call, nouns.USERS, f'{_PATH}/{group}/users', 'users', filters_of(call), users.shown, read)


def index_groups(call: Call) -> dict[str, Any]:
    """List the groups that a user is in."""
    user = call.target['user_id']

    def read(db: Any, filters: Row, **pages: Any) -> list[Row]:
        return groups.groups_with(db, user, filters, **pages)
    return page(call, nouns.GROUPS, f'/users/{user}/groups', 'groups', filters_of(call), shown, read)


def check_member(call: Call) -> None:
    """Return whether a user is in a group."""
    if not call.app.read(groups.has_member, call.target['id'], call.target['user_id']):
        raise _missing(call)


def add_member(call: Call) -> None:
    """Put a user into a group; one that is in it stays."""
    call.app.write(lambda db: groups.add(db, call.target['id'], call.target['user_id']))


def remove_member(call: Call) -> None:
    """Take a user out of a group; its tokens that have roles of the group end."""
    if not call.app.write(lambda db: groups.take_out(db, call.target['id'], call.target['user_id'])):
        raise _missing(call)


def _missing(call: Call) -> NotFound:
    return NotFound(f'Could not find user {call.target["user_id"]} in group {call.target["id"]}.')


GROUPS = Resource('groups', (
    Op('GET', _PATH, index, policy='identity:list_groups', loads=own, query=listing_query(name=NAME, domain_id=ID)),
    Op('POST', _PATH, create, policy='identity:create_group', status=201, body=_CREATE),
    Op('GET', _ONE, show, policy='identity:get_group', loads=load),
    Op('PATCH', _ONE, update, policy='identity:update_group', loads=load, body=_UPDATE),
    Op('DELETE', _ONE, delete, policy='identity:delete_group', loads=load, status=204),
    Op('GET', _MEMBERS, index_users, policy='identity:list_users_in_group', loads=load,
       query=listing_query(name=NAME, domain_id=ID, enabled=FLAG)),
    Op('GET', _MEMBER, check_member, policy='identity:check_user_in_group', loads=load_member, status=204),
    Op('PUT', _MEMBER, add_member, policy='identity:add_user_to_group', loads=load_member, status=204),
    Op('DELETE', _MEMBER, remove_member, policy='identity:remove_user_from_group', loads=load_member, status=204),
    Op('GET', '/users/{user_id}/groups', index_groups, policy='identity:list_groups_for_user', loads=users.as_owner,
       query=listing_query(name=NAME)),
))
