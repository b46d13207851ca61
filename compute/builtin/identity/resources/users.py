"""Users and their passwords."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.app import Identity
from compute.builtin.identity.authenticate import check_password, refuse
from compute.builtin.identity.db import attempts, nouns, reachable
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.removal import remove_user
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources import projects
from compute.builtin.identity.resources.domains import own
from compute.builtin.identity.resources.shapes import (
    BOOLEAN,
    FLAG,
    ID,
    NAME,
    SECRET,
    TEXT,
    bounded,
    filters_of,
    listing_query,
    member,
    most_of,
    page,
)
from compute.exception import Forbidden, NotFound
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/users'
_YES = {'type': ['boolean', 'null']}
_OPTIONS = fields(ignore_lockout_failure_attempts=_YES, lock_password=_YES, ignore_password_expiry=_YES,
                  ignore_change_password_upon_first_use=_YES, ignore_user_inactivity=_YES)
_PASSWORD = {'type': ['string', 'null'], 'minLength': 1, 'maxLength': 4096}
_FIELDS: dict[str, Any] = {
    'enabled': BOOLEAN, 'description': TEXT, 'domain_id': ID, 'password': _PASSWORD, 'options': _OPTIONS,
    'default_project_id': {'type': ['string', 'null'], 'maxLength': 64}}
_CREATE = Body('user', fields(_FIELDS, name=Required(NAME), extra=True))
_UPDATE = Body('user', fields(_FIELDS, name=NAME, extra=True))
_CHANGE = Body('user', fields(password=Required(SECRET), original_password=Required(SECRET)))


def load(call: Call) -> Row:
    """Load a user."""
    found: Row = call.app.read(nouns.USERS.get, call.path['user_id'])
    return found


def as_owner(call: Call) -> Row:
    """Load a user as the owner of what the request is about."""
    row = load(call)
    return {'user_id': row['id'], 'domain_id': row['domain_id']}


def shown(call: Call, row: Row) -> Row:
    """Return a user as answers have it."""
    return member(call, _PATH, row, password_expires_at=None)


def index(call: Call) -> dict[str, Any]:
    """List users."""
    filters = filters_of(call)
    if call.context.domain_id and not call.context.is_admin:
        filters['domain_id'] = call.context.domain_id
    return page(call, nouns.USERS, _PATH, 'users', filters, shown)


def show(call: Call) -> dict[str, Any]:
    """Show a user."""
    return {'user': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a user; without a password it can hold roles but not log in."""
    values = _accepted(call)
    values.setdefault('domain_id', projects.default_domain(call))

    def store(db: Any) -> Row:
        nouns.DOMAINS.get(db, values['domain_id'])
        return nouns.USERS.insert(db, values)
    return {'user': shown(call, call.app.write(store))}


def update(call: Call) -> dict[str, Any]:
    """Change a user; a new password or disabling ends the user's tokens."""
    changes = _accepted(call)
    projects.same_domain(call, changes)

    def change(db: Any) -> Row:
        row = nouns.USERS.update(db, call.target['id'], changes)
        if changes.get('enabled') or 'password_hash' in changes:
            attempts.forget(db, row['id'])
        if 'password_hash' in changes or changes.get('enabled') is False:
            revoke(db, 'user', row['id'])
        return row
    return {'user': shown(call, call.app.write(change))}


def delete(call: Call) -> None:
    """Delete a user."""
    call.app.write(lambda db: remove_user(db, call.target['id']))


def change_password(call: Call) -> None:
    """Let users change their own password. No token is needed: the old password is the proof."""
    app: Identity = call.app
    try:
        user = app.read(nouns.USERS.secret, call.path['user_id'])
    except NotFound:
        user = None
    row = check_password(app, user, call.body['original_password'], call.address)
    if not row['enabled']:
        raise refuse('user %s is disabled', row['id'])
    if row['options'].get('lock_password'):
        raise Forbidden('The password of this user is set by administrators only.')
    hashed = app.passwords.hash(call.body['password'])

    def change(db: Any) -> None:
        nouns.USERS.update(db, row['id'], {'password_hash': hashed})
        revoke(db, 'user', row['id'])
    app.write(change)


def index_projects(call: Call) -> dict[str, Any]:
    """List the projects on which a user has a role."""
    user = call.target['user_id']
    rows = call.app.read(reachable.projects_of, user, most_of(call))
    return bounded(call, 'projects', f'/users/{user}/projects', rows, projects.shown)


def _accepted(call: Call) -> Row:
    values = nouns.USERS.accepted(call.body)
    if 'password' in values:
        password = values.pop('password')
        values['password_hash'] = None if password is None else call.app.passwords.hash(password)
    return values


USERS = Resource('users', (
    Op('GET', _PATH, index, policy='identity:list_users', loads=own,
       query=listing_query(name=NAME, domain_id=ID, enabled=FLAG)),
    Op('POST', _PATH, create, policy='identity:create_user', status=201, body=_CREATE),
    Op('GET', '/users/{user_id}', show, policy='identity:get_user', loads=load),
    Op('PATCH', '/users/{user_id}', update, policy='identity:update_user', loads=load, body=_UPDATE),
    Op('DELETE', '/users/{user_id}', delete, policy='identity:delete_user', loads=load, status=204),
    Op('POST', '/users/{user_id}/password', change_password, public=True, status=204, body=_CHANGE),
    Op('GET', '/users/{user_id}/projects', index_projects, policy='identity:list_user_projects', loads=as_owner),
))
