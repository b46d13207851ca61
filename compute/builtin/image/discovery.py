"""Version documents, stores and import methods: what clients ask before anything else."""

from __future__ import annotations

from typing import Any

from compute.rest.call import Call
from compute.rest.op import Op, Resource
from compute.rest.reply import Reply

_VERSIONS = ('v2.9', 'v2.7', 'v2.6', 'v2.5', 'v2.4', 'v2.3', 'v2.2', 'v2.1', 'v2.0')
"""2.8 and those left out above 2.9 promise several stores, caches or tasks, which are not here."""


def _document(call: Call) -> dict[str, Any]:
    link = {'rel': 'self', 'href': f'{call.bookmark_url}/v2/'}
    return {'versions': [{'id': version, 'status': 'SUPPORTED' if number else 'CURRENT', 'links': [link]}
                         for number, version in enumerate(_VERSIONS)]}


def choices(call: Call) -> Reply:
    """Return the versions with 300, as the root of Glance does."""
    return Reply(_document(call), status=300)


def listed(call: Call) -> dict[str, Any]:
    """Return the versions."""
    return _document(call)


def stores(call: Call) -> dict[str, Any]:
    """Return the stores: the directory, under the name that Glance's file store has by default."""
    return {'stores': [{'id': STORE, 'description': 'Files on the disks of the image daemon', 'default': 'true'}]}


def import_methods(call: Call) -> dict[str, Any]:
    """Return the ways to import: none, data is uploaded."""
    return {'import-methods': {'description': 'Import methods available.', 'type': 'array', 'value': []}}


STORE = 'file'
ROOT = (Resource('versions', (
    Op('GET', '/', choices, public=True),
    Op('GET', '/versions', listed, public=True),
)),)
RESOURCE = Resource('discovery', (
    Op('GET', '/', listed, public=True),
    Op('GET', '/info/stores', stores, policy='get_info'),
    Op('GET', '/info/import', import_methods, policy='get_info'),
))
