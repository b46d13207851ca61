"""Flavors: list, show, make, describe and delete. Access and extra specs have files of their own."""

from __future__ import annotations

import uuid
from typing import Any

from oslo_utils import strutils

from compute.api.changes import flavors as changes
from compute.api.schema import BOOLEAN, NAME, STRING, is_true, whole
from compute.db import flavors
from compute.exception import Invalid
from compute.objects.flavor import Flavor
from compute.policies import flavor_extra_specs as specs_policy
from compute.policies import flavors as policy
from compute.rest.call import Call
from compute.rest.fields import Required, Since, Until, fields
from compute.rest.op import Body, Op, Query, Resource, View
from compute.rest.paging import LIMIT, SORTED, next_links, page_of, sorting
from compute.rest.versions import window

_ID = {'type': ['string', 'integer', 'null'], 'minLength': 1, 'maxLength': 255,
       'pattern': r'^(?! )[a-zA-Z0-9. _-]+(?<! )\Z'}
_DESCRIPTION = {'type': ['string', 'null'], 'minLength': 0, 'maxLength': 65535,
                'pattern': r'^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\Z'}
_FACTOR = {'type': ['number', 'string'], 'pattern': r'^[0-9]{1,38}(\.[0-9]{1,38})?\Z',
           'exclusiveMinimum': 0, 'maximum': 3.40282e+38}

CREATE = Body('flavor', fields({
    'name': Required(NAME),
    'id': _ID,
    'ram': Required(whole(1)),
    'vcpus': Required(whole(1)),
    'disk': Required(whole(0)),
    'OS-FLV-EXT-DATA:ephemeral': whole(0),
    'swap': whole(0),
    'rxtx_factor': Until('2.102', _FACTOR),
    'os-flavor-access:is_public': BOOLEAN,
    'description': Since('2.55', _DESCRIPTION),
}))
UPDATE = Body('flavor', fields(description=Required(_DESCRIPTION)))

_FLAVOR = fields({
    'OS-FLV-DISABLED:disabled': Until('2.102', BOOLEAN),
    'rxtx_factor': Until('2.102', _FACTOR),
    'description': Since('2.55', _DESCRIPTION),
    'extra_specs': Since('2.61', {'type': 'object'}),
})
_ONE = View('flavor', _FLAVOR, changes=changes.CHANGES)
_DETAILED = View('flavors', _FLAVOR, many=True, changes=changes.CHANGES)
_BRIEF = View('flavors', _FLAVOR, many=True)
_LEAST = {'type': 'string', 'pattern': '^-?[0-9]+$', 'maxLength': 10}
_SORTING = sorting(flavors.SORT_COLUMNS, dict.fromkeys(('rxtx_factor', 'disabled'), window(until='2.102')))
_LIST = Query(fields(limit=LIMIT, marker=STRING, is_public=STRING, minDisk=_LEAST, minRam=_LEAST,
                     name=Since('2.102', {'type': 'string', 'maxLength': 255}), table=_SORTING),
              repeats=SORTED, strict=window('2.75'))


def view(call: Call, flavor: Flavor, specs: bool) -> dict[str, Any]:
    """Return a flavor as the newest version shows it; ``specs``: the caller may see its extra specs."""
    shown = {
        'id': flavor.flavorid, 'name': flavor.name, 'ram': flavor.memory_mb, 'disk': flavor.root_gb,
        'vcpus': flavor.vcpus, 'OS-FLV-EXT-DATA:ephemeral': flavor.ephemeral_gb, 'swap': flavor.swap_mb,
        'OS-FLV-DISABLED:disabled': flavor.disabled, 'rxtx_factor': flavor.rxtx_factor,
        'os-flavor-access:is_public': flavor.is_public, 'description': flavor.description,
        'links': call.links(f'/flavors/{flavor.flavorid}')}
    return {**shown, 'extra_specs': flavor.extra_specs} if specs else shown


def load(call: Call) -> Flavor:
    """Return the flavor of the URL, if the caller may know of it."""
    return call.app.db.read(lambda connection: flavors.get(connection, call.path['id'], call.project_scope))


def show(call: Call) -> Any:
    """Show a flavor."""
    return {'flavor': view(call, load(call), _shows_specs(call))}


def index(call: Call) -> Any:
    """List flavors: id, name, description."""
    found, links = _page(call, '/flavors')
    return {'flavors': [{'id': flavor.flavorid, 'name': flavor.name, 'description': flavor.description,
                         'links': call.links(f'/flavors/{flavor.flavorid}')} for flavor in found], **links}


def detail(call: Call) -> Any:
    """List flavors with everything."""
    found, links = _page(call, '/flavors/detail')
    specs = _shows_specs(call)
    return {'flavors': [view(call, flavor, specs) for flavor in found], **links}


def create(call: Call) -> Any:
    """Make a flavor; without an id (or with ``auto``) it gets a uuid."""
    body = call.body
    wanted = body.get('id')
    flavor = Flavor(
        flavorid=str(uuid.uuid4()) if wanted in (None, 'auto') else str(wanted), name=body['name'],
        vcpus=int(body['vcpus']), memory_mb=int(body['ram']), root_gb=int(body['disk']),
        ephemeral_gb=int(body.get('OS-FLV-EXT-DATA:ephemeral', 0)), swap_mb=int(body.get('swap', 0)),
        rxtx_factor=float(body.get('rxtx_factor', 1.0)), description=body.get('description'),
        is_public=is_true(body.get('os-flavor-access:is_public', True)))
    added = call.app.db.transaction(lambda connection: flavors.insert(connection, flavor))
    return {'flavor': view(call, added, _shows_specs(call))}


def update(call: Call) -> Any:
    """Change the description, the only thing about a flavor that may change."""
    changed = call.app.db.transaction(lambda connection: flavors.update(
        connection, call.path['id'], description=call.body['description']))
    return {'flavor': view(call, changed, _shows_specs(call))}


def delete(call: Call) -> None:
    """Delete a flavor."""
    call.app.db.transaction(lambda connection: flavors.delete(connection, call.path['id']))


def _shows_specs(call: Call) -> bool:
    return call.may(specs_policy.INDEX)


def _page(call: Call, path: str) -> tuple[list[Flavor], dict[str, Any]]:
    page = page_of(call, call.app.conf.api.max_limit, default_sort=('flavorid', 'asc'))
    wanted = _filter(call)
    found = call.app.db.read(lambda connection: flavors.page(connection, wanted, page.limit, page.marker, page.sort))
    marker = found[-1].flavorid if found else None
    return found, next_links(call, 'flavors', path, found, page, marker)


def _filter(call: Call) -> flavors.Filter:
    """Administrators may ask for any kind; everybody else gets public ones and those of the project."""
    public = _is_public(call.query.get('is_public')) if call.context.is_admin else True
    return flavors.Filter(is_public=public, project_id=(call.context.project_id or '') if public else None,
                          min_memory_mb=_number(call, 'minRam'), min_root_gb=_number(call, 'minDisk'),
                          name=call.query.get('name'))


def _is_public(text: str | None) -> bool | None:
    if text is None:
        return True
    if text.lower() == 'none':
        return None
    try:
        return bool(strutils.bool_from_string(text, strict=True))
    except ValueError:
        raise Invalid(f'Invalid is_public filter [{text}]') from None


def _number(call: Call, name: str) -> int | None:
    text = call.query.get(name)
    return None if text is None else int(text)


RESOURCE = Resource('flavors', (
    Op('GET', '/flavors', index, query=_LIST, view=_BRIEF, policy=policy.SEE),
    Op('POST', '/flavors', create, body=CREATE, view=_ONE, policy=policy.CREATE),
    Op('GET', '/flavors/detail', detail, query=_LIST, view=_DETAILED, policy=policy.SEE),
    Op('GET', '/flavors/{id}', show, view=_ONE, policy=policy.SEE),
    Op('PUT', '/flavors/{id}', update, body=UPDATE, view=_ONE, policy=policy.UPDATE, since='2.55'),
    Op('DELETE', '/flavors/{id}', delete, status=202, policy=policy.DELETE),
))
