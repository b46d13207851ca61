"""Endpoints of the catalog: where a service is, for whom (interface) and in which region."""

from __future__ import annotations

from typing import Any

from compute.builtin.identity.db import nouns
from compute.builtin.identity.db.catalog import check_url
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.resources.shapes import BOOLEAN, ID, NAME, TEXT, filters_of, listing_query, member, page
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, Resource

_PATH = '/endpoints'
_ONE = '/endpoints/{endpoint_id}'
_INTERFACE = {'type': 'string', 'enum': ['public', 'internal', 'admin']}
_URL = {'type': 'string', 'minLength': 1, 'maxLength': 2048, 'pattern': r'^[A-Za-z][A-Za-z0-9+.-]*://\S+$'}
_REGION = {'type': ['string', 'null'], 'maxLength': 255}
_FIELDS: dict[str, Any] = {'region_id': _REGION, 'region': _REGION, 'enabled': BOOLEAN, 'name': {}, 'description': TEXT,
                           'options': fields()}
_CREATE = Body('endpoint', fields(_FIELDS, service_id=Required(ID), interface=Required(_INTERFACE),
                                  url=Required(_URL), extra=True))
_UPDATE = Body('endpoint', fields(_FIELDS, service_id=ID, interface=_INTERFACE, url=_URL, extra=True))
_FILTERS = listing_query(service_id=ID, interface=_INTERFACE, region_id=NAME, region=NAME, enabled={})


def load(call: Call) -> Row:
    """Load an endpoint."""
    found: Row = call.app.read(nouns.ENDPOINTS.get, call.path['endpoint_id'])
    return found


def shown(call: Call, row: Row) -> Row:
    """Return an endpoint as answers have it."""
    found = member(call, _PATH, row, region=row['region_id'])
    found.pop('options')
    return found


def index(call: Call) -> dict[str, Any]:
    """List endpoints."""
    return page(call, nouns.ENDPOINTS, _PATH, 'endpoints', filters_of(call, region='region_id'), shown)


def show(call: Call) -> dict[str, Any]:
    """Show an endpoint."""
    return {'endpoint': shown(call, call.target)}


def create(call: Call) -> dict[str, Any]:
    """Make an endpoint."""
    values = _accepted(call)
    return {'endpoint': shown(call, call.app.write(lambda db: nouns.ENDPOINTS.insert(db, _checked(db, values))))}


def update(call: Call) -> dict[str, Any]:
    """Change an endpoint."""
    changes = _accepted(call)
    return {'endpoint': shown(call, call.app.write(
        lambda db: nouns.ENDPOINTS.update(db, call.target['id'], _checked(db, changes))))}


def delete(call: Call) -> None:
    """Delete an endpoint."""
    call.app.write(lambda db: nouns.ENDPOINTS.delete(db, call.target['id']))


def _accepted(call: Call) -> Row:
    values = nouns.ENDPOINTS.accepted(call.body)
    if 'url' in values:
        check_url(values['url'])
    return values


def _checked(db: Any, values: Row) -> Row:
    """Check what an endpoint refers to. ``region``, the older name, also makes a region that is missing."""
    values = dict(values)
    if 'service_id' in values:
        nouns.SERVICES.get(db, values['service_id'])
    region = values.pop('region', None)
    if region and not values.get('region_id'):
        values['region_id'] = region
        if nouns.REGIONS.find(db, id=region) is None:
            nouns.REGIONS.insert(db, {'id': region})
    elif values.get('region_id'):
        nouns.REGIONS.get(db, values['region_id'])
    return values


ENDPOINTS = Resource('endpoints', (
    Op('GET', _PATH, index, policy='identity:list_endpoints', query=_FILTERS),
    Op('POST', _PATH, create, policy='identity:create_endpoint', status=201, body=_CREATE),
    Op('GET', _ONE, show, policy='identity:get_endpoint', loads=load),
    Op('PATCH', _ONE, update, policy='identity:update_endpoint', loads=load, body=_UPDATE),
    Op('DELETE', _ONE, delete, policy='identity:delete_endpoint', loads=load, status=204),
))
