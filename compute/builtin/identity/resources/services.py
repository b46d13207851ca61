"""Services of the catalog."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.db import nouns
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.db.removal import remove_service
from compute.builtin.identity.resources.shapes import BOOLEAN, NAME, TEXT, described, filters_of, listing_query, page
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/services'
_ONE = '/services/{service_id}'
_LABEL = {'type': ['string', 'null'], 'maxLength': 255}
_FIELDS: dict[str, Any] = {'name': _LABEL, 'description': TEXT, 'enabled': BOOLEAN, 'options': fields()}
_CREATE = Body('service', fields(_FIELDS, type=Required(NAME), extra=True))
_UPDATE = Body('service', fields(_FIELDS, type=NAME, extra=True))


def load(call: Call) -> Row:
    """Load a service."""
    found: Row = call.app.read(nouns.SERVICES.get, call.path['service_id'])
    return found


def shown(call: Call, row: Row) -> Row:
    """Return a service as answers have it."""
    found = described(call, _PATH, row, name=row['name'] or '')
    found.pop('options')
    return found


def index(call: Call) -> dict[str, Any]:
    """List services."""
    return page(call, nouns.SERVICES, _PATH, 'services', filters_of(call), shown)


def show(call: Call) -> dict[str, Any]:
    """Show a service."""
    return {'service': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a service."""
    values = nouns.SERVICES.accepted(call.body)
    return {'service': shown(call, call.app.write(lambda db: nouns.SERVICES.insert(db, values)))}


def update(call: Call) -> dict[str, Any]:
    """Change a service."""
    changes = nouns.SERVICES.accepted(call.body)
    return {'service': shown(call, call.app.write(lambda db: nouns.SERVICES.update(db, call.target['id'], changes)))}


def delete(call: Call) -> None:
    """Delete a service with its endpoints."""
    call.app.write(lambda db: remove_service(db, call.target['id']))


SERVICES = Resource('services', (
    Op('GET', _PATH, index, policy='identity:list_services', query=listing_query(name=NAME, type=NAME)),
    Op('POST', _PATH, create, policy='identity:create_service', status=201, body=_CREATE),
    Op('GET', _ONE, show, policy='identity:get_service', loads=load),
    Op('PATCH', _ONE, update, policy='identity:update_service', loads=load, body=_UPDATE),
    Op('DELETE', _ONE, delete, policy='identity:delete_service', loads=load, status=204),
))
