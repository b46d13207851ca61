"""Domains: the name spaces of users and projects."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.db import nouns
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.removal import remove_domain
from compute.builtin.identity.db.revocations import revoke
from compute.builtin.identity.resources.shapes import (
    BOOLEAN,
    FLAG,
    NAME,
    OPTIONS,
    SHORT_NAME,
    TAGS,
    TEXT,
    described,
    filters_of,
    listing_query,
    page,
)
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/domains'
_CREATE = Body('domain', fields(
    name=Required(SHORT_NAME), enabled=BOOLEAN, description=TEXT, tags=TAGS, options=OPTIONS, extra=True))
_UPDATE = Body('domain', fields(
    name=SHORT_NAME, enabled=BOOLEAN, description=TEXT, tags=TAGS, options=OPTIONS, extra=True))


def own(call: Call) -> Row:
    """Load what a list is confined to: the domain of a domain-scoped token."""
    return {'domain_id': call.context.domain_id} if call.context.domain_id else {}


def load(call: Call) -> Row:
    """Load a domain."""
    row = call.app.read(nouns.DOMAINS.get, call.path['domain_id'])
    return {**row, 'domain_id': row['id']}


def shown(call: Call, row: Row) -> Row:
    """Return a domain as answers have it."""
    return described(call, _PATH, {name: value for name, value in row.items() if name != 'domain_id'})


def index(call: Call) -> dict[str, Any]:
    """List domains."""
    filters = filters_of(call)
    if call.context.domain_id and not call.context.is_admin:
        filters['id'] = call.context.domain_id
    return page(call, nouns.DOMAINS, _PATH, 'domains', filters, shown)


def show(call: Call) -> dict[str, Any]:
    """Show a domain."""
    return {'domain': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a domain."""
    values = nouns.DOMAINS.accepted(call.body)
    return {'domain': shown(call, call.app.write(lambda db: nouns.DOMAINS.insert(db, values)))}


def update(call: Call) -> dict[str, Any]:
    """Change a domain; disabling it ends the tokens of its users and projects."""
    changes = nouns.DOMAINS.accepted(call.body)

    def change(db: Any) -> Row:
        row = nouns.DOMAINS.update(db, call.target['id'], changes)
        if changes.get('enabled') is False:
            revoke(db, 'domain', row['id'])
        return row
    return {'domain': shown(call, call.app.write(change))}


def delete(call: Call) -> None:
    """Delete a domain and all that is in it."""
    call.app.write(lambda db: remove_domain(db, call.target['id']))


DOMAINS = Resource('domains', (
    Op('GET', _PATH, index, policy='identity:list_domains', loads=own, query=listing_query(name=NAME, enabled=FLAG)),
    Op('POST', _PATH, create, policy='identity:create_domain', status=201, body=_CREATE),
    Op('GET', '/domains/{domain_id}', show, policy='identity:get_domain', loads=load),
    Op('PATCH', '/domains/{domain_id}', update, policy='identity:update_domain', loads=load, body=_UPDATE),
    Op('DELETE', '/domains/{domain_id}', delete, policy='identity:delete_domain', loads=load, status=204),
))
