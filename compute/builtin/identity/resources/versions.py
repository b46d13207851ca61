"""The version documents: the list at the root, and the one of v3."""

from __future__ import annotations

from typing import Any

from compute.rest.call import Call
from compute.rest.op import Op, Resource


def document(call: Call, url: str) -> dict[str, Any]:
    """Return the description of v3, which lives at ``url``. ``v3.14`` is the newest version that Keystone has."""
    return {'id': 'v3.14', 'status': 'stable', 'updated': '2020-04-07T00:00:00Z',
            'links': [{'rel': 'self', 'href': url}],
            'media-types': [{'base': 'application/json', 'type': 'application/vnd.openstack.identity-v3+json'}]}


def show(call: Call) -> dict[str, Any]:
    """Describe v3."""
    return {'version': document(call, call.link('/'))}


def index(call: Call) -> dict[str, Any]:
    """List the versions."""
    return {'versions': {'values': [document(call, call.link('/v3/'))]}}


VERSION = Resource('version', (Op('GET', '/', show, public=True),))
ROOT = Resource('versions', (Op('GET', '/', index, public=True, status=300),))
