"""Projects: what owns servers, networks and images."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.db import assignments, nouns, tags
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.removal import DEFAULT_DOMAIN, remove_project
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources.domains import own
from compute.builtin.identity.resources.shapes import (
    BOOLEAN,
    FLAG,
    ID,
    NAME,
    OPTIONS,
    SHORT_NAME,
    TAGS,
    TEXT,
    described,
    filters_of,
    flag,
    listing,
    listing_query,
    page,
)
from compute.exception import Forbidden, Invalid
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/projects'
_PARENT = {'type': ['string', 'null'], 'maxLength': 64}
_FIELDS: dict[str, Any] = {'enabled': BOOLEAN, 'description': TEXT, 'tags': TAGS, 'options': OPTIONS, 'domain_id': ID,
                           'parent_id': _PARENT, 'is_domain': {'const': False}}
_CREATE = Body('project', fields(_FIELDS, name=Required(SHORT_NAME), extra=True))
_UPDATE = Body('project', fields(_FIELDS, name=SHORT_NAME, extra=True))
_SOME_TAGS = {'type': 'string', 'maxLength': 4096}
_FILTERS = listing_query(name=NAME, domain_id=ID, parent_id=ID, enabled=FLAG, is_domain=FLAG,
                         **dict.fromkeys(tags.FILTERS, _SOME_TAGS))
_DEEPEST = 5
"""Projects from the top of a tree to its end, as Keystone's max_project_tree_depth is by default."""


def load(call: Call) -> Row:
    """Load a project."""
    found: Row = call.app.read(nouns.PROJECTS.get, call.path['project_id'])
    return found


def shown(call: Call, row: Row) -> Row:
    """Return a project as answers have it."""
    return described(call, _PATH, row, is_domain=False, parent_id=row['parent_id'] or row['domain_id'])


def index(call: Call) -> dict[str, Any]:
    """List projects."""
    filters = filters_of(call)
    if call.context.domain_id and not call.context.is_admin:
        filters['domain_id'] = call.context.domain_id
    if flag(filters.pop('is_domain', 'false')):
        return listing(call, 'projects', _PATH, [])
    parent = filters.get('parent_id')
    if parent and call.app.read(nouns.DOMAINS.find, id=parent):
        if filters.setdefault('domain_id', parent) != parent:  # no project is of two domains
            return listing(call, 'projects', _PATH, [])
        filters['parent_id'] = None
    where = tags.fitting({key: filters.pop(key) for key in tags.FILTERS if key in filters})

    def read(db: Any, filters: Row, **pages: Any) -> list[Row]:
        return nouns.PROJECTS.all(db, filters, where=where, **pages)
    return page(call, nouns.PROJECTS, _PATH, 'projects', filters, shown, read)


def show(call: Call) -> dict[str, Any]:
    """Show a project."""
    return {'project': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a project, by default in the domain of the caller's project."""
    values = _accepted(call)

    def store(db: Any) -> Row:
        row = nouns.PROJECTS.insert(db, _placed(call, db, values))
        tags.note(db, row)
        return row
    return {'project': shown(call, call.app.write(store))}


def _placed(call: Call, db: Any, values: Row) -> Row:
    """Return the values with domain and parent. :raises Invalid, Forbidden: they do not go together."""
    values, parent = dict(values), values.get('parent_id')
    if parent and nouns.DOMAINS.find(db, id=parent):
        values.setdefault('domain_id', parent)
        values['parent_id'] = None
    elif parent:
        values.setdefault('domain_id', nouns.PROJECTS.get(db, parent)['domain_id'])
        if len(assignments.ancestors(db, parent)) + 1 >= _DEEPEST:
            raise Forbidden(f'Project {parent} is at the maximum depth of {_DEEPEST}; it cannot have child projects.')
    values.setdefault('domain_id', default_domain(call))
    nouns.DOMAINS.get(db, values['domain_id'])
    if values.get('parent_id') and nouns.PROJECTS.get(db, values['parent_id'])['domain_id'] != values['domain_id']:
        raise Invalid(f'parent_id {parent} is a project of another domain than domain_id {values["domain_id"]}')
    return values


def default_domain(call: Call) -> str:
    """Return the domain in which a new user or project is made when the body names none."""
    return call.context.domain_id or call.context.project_domain_id or DEFAULT_DOMAIN


def update(call: Call) -> dict[str, Any]:
    """Change a project; disabling it ends its tokens."""
    changes = _accepted(call)
    same_domain(call, changes)
    parent = changes.pop('parent_id', None)
    if parent not in (None, call.target['parent_id'], call.target['domain_id']):
        raise Forbidden('A project stays where it is: parent_id cannot be changed.')

    def change(db: Any) -> Row:
        row = nouns.PROJECTS.update(db, call.target['id'], changes)
        if 'tags' in changes:
            tags.note(db, row)
        if changes.get('enabled') is False:
            revoke(db, 'project', row['id'])
        return row
    return {'project': shown(call, call.app.write(change))}


def same_domain(call: Call, changes: Row) -> None:
    """Return if a change leaves the domain as it is. :raises Invalid:"""
    if changes.pop('domain_id', call.target['domain_id']) != call.target['domain_id']:
        raise Invalid(f'domain_id cannot be changed; it is {call.target["domain_id"]}')


def delete(call: Call) -> None:
    """Delete a project. What it owns elsewhere (servers, networks) is not touched."""
    call.app.write(lambda db: remove_project(db, call.target['id']))


def _accepted(call: Call) -> Row:
    return {name: value for name, value in nouns.PROJECTS.accepted(call.body).items() if name != 'is_domain'}


PROJECTS = Resource('projects', (
    Op('GET', _PATH, index, policy='identity:list_projects', loads=own, query=_FILTERS),
    Op('POST', _PATH, create, policy='identity:create_project', status=201, body=_CREATE),
    Op('GET', '/projects/{project_id}', show, policy='identity:get_project', loads=load),
    Op('PATCH', '/projects/{project_id}', update, policy='identity:update_project', loads=load, body=_UPDATE),
    Op('DELETE', '/projects/{project_id}', delete, policy='identity:delete_project', loads=load, status=204),
))
