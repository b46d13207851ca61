"""The schemas that clients read to learn which attributes an image has (``GET /v2/schemas/...``)."""

from __future__ import annotations

from typing import Any

from compute.builtin.image.fields import KNOWN_PROPERTIES, READ_ONLY, SETTABLE
from compute.builtin.image.record import MEMBER_STATUSES
from compute.exception import NotFound
from compute.rest.call import Call
from compute.rest.op import Op, Resource

_READ_ONLY = {name: {**schema, 'readOnly': True} for name, schema in READ_ONLY.items()}
_IMAGE = {
    'name': 'image',
    'properties': {**SETTABLE, **KNOWN_PROPERTIES, **_READ_ONLY},
    'additionalProperties': {'type': 'string'},
    'links': [{'rel': 'self', 'href': '{self}'}, {'rel': 'enclosure', 'href': '{file}'},
              {'rel': 'describedby', 'href': '{schema}'}],
}
_MEMBER = {
    'name': 'member',
    'properties': {
        'image_id': {'type': 'string', 'description': 'The image.'},
        'member_id': {'type': 'string', 'description': 'The project that the image is shared with.'},
        'status': {'type': 'string', 'enum': list(MEMBER_STATUSES), 'description': 'What that project made of it.'},
        'created_at': {'type': 'string', 'description': 'When the image was shared.'},
        'updated_at': {'type': 'string', 'description': 'When the status last changed.'},
        'schema': {'readOnly': True, 'type': 'string'},
    },
}


def _collection(name: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        'name': name,
        'properties': {name: {'type': 'array', 'items': item}, 'first': {'type': 'string'}, 'next': {'type': 'string'},
                       'schema': {'type': 'string'}},
        'links': [{'rel': 'first', 'href': '{first}'}, {'rel': 'next', 'href': '{next}'},
                  {'rel': 'describedby', 'href': '{schema}'}],
    }


SCHEMAS = {'image': _IMAGE, 'images': _collection('images', _IMAGE), 'member': _MEMBER,
           'members': _collection('members', _MEMBER)}


def show(call: Call) -> dict[str, Any]:
    """Return one schema. :raises NotFound:"""
    name = call.path['name']
    if name not in SCHEMAS:
        raise NotFound(f'There is no schema {name!r}; there are {", ".join(SCHEMAS)}.', code='schema_not_found')
    return SCHEMAS[name]


RESOURCE = Resource('schemas', (Op('GET', '/schemas/{name}', show, policy='get_info'),))
