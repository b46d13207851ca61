"""Regions of the catalog. Their ids are chosen by who makes them."""

from __future__ import annotations

import uuid
from typing import Any

from compute.builtin.identity.db import nouns
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.resources.shapes import NAME, TEXT, described, filters_of, listing_query, page
from compute.exception import Conflict, Invalid
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Body, Op, Resource

_PATH = '/regions'
_ONE = '/regions/{region_id}'
_PARENT = {'type': ['string', 'null'], 'maxLength': 255}
_ID: dict[str, Any] = {'type': 'string', 'maxLength': 255}
_BODY = Body('region', fields(id=_ID, description=TEXT, parent_region_id=_PARENT,
                              options=fields(), extra=True))


def load(call: Call) -> Row:
    """Load a region."""
    found: Row = call.app.read(nouns.REGIONS.get, call.path['region_id'])
    return found


def shown(call: Call, row: Row) -> Row:
    """Return a region as answers have it."""
    found = described(call, _PATH, row)
    found.pop('options')
    return found


def index(call: Call) -> dict[str, Any]:
    """List regions."""
    return page(call, nouns.REGIONS, _PATH, 'regions', filters_of(call), shown)


def show(call: Call) -> dict[str, Any]:
    """Show a region."""
    return {'region': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make a region."""
    return _create(call, call.body.get('id') or uuid.uuid4().hex)


def put(call: Call) -> dict[str, Any]:
    """Make a region with the id in the URL. :raises Conflict: there is one."""
    region = call.path['region_id']
    if call.body.get('id', region) != region:
        raise Invalid(f'id is {call.body["id"]!r}; the URL says {region!r}')
    if len(region) > _ID['maxLength']:
        raise Invalid(f'The id of a region has at most {_ID["maxLength"]} characters')
    return _create(call, region)


def _create(call: Call, region: str) -> dict[str, Any]:
    values = {**nouns.REGIONS.accepted(call.body), 'id': region}

    def store(db: Any) -> Row:
        if values.get('parent_region_id'):
            nouns.REGIONS.get(db, values['parent_region_id'])
        return nouns.REGIONS.insert(db, values)
    return {'region': shown(call, call.app.write(store))}


def update(call: Call) -> dict[str, Any]:
    """Change a region."""
    changes = nouns.REGIONS.accepted(call.body)

    def change(db: Any) -> Row:
        parent = changes.get('parent_region_id')
        while parent:
            if parent == call.target['id']:
                raise Invalid(f'parent_region_id {changes["parent_region_id"]} would make a circle')
            parent = nouns.REGIONS.get(db, parent)['parent_region_id']
        return nouns.REGIONS.update(db, call.target['id'], changes)
    return {'region': shown(call, call.app.write(change))}


def delete(call: Call) -> None:
    """Delete a region that has neither endpoints nor regions below it."""
    def remove(db: Any) -> None:
        if nouns.REGIONS.find(db, parent_region_id=call.target['id']):
            raise Conflict(f'Region {call.target["id"]} has regions below it')
        nouns.REGIONS.delete(db, call.target['id'])
    call.app.write(remove)


REGIONS = Resource('regions', (
    Op('GET', _PATH, index, policy='identity:list_regions', query=listing_query(parent_region_id=NAME)),
    Op('POST', _PATH, create, policy='identity:create_region', status=201, body=_BODY),
    Op('GET', _ONE, show, policy='identity:get_region', loads=load),
    Op('PUT', _ONE, put, policy='identity:create_region', status=201, body=_BODY),
    Op('PATCH', _ONE, update, policy='identity:update_region', loads=load, body=_BODY),
    Op('DELETE', _ONE, delete, policy='identity:delete_region', loads=load, status=204),
))
