"""PATCH of an image: a list of changes, in the media types ``openstack-images-v2.1-json-patch`` and ``-v2.0-``.

2.1 is JSON patch (``{"op": "replace", "path": "/name", "value": "x"}``), 2.0 its ancestor (``{"replace": "name",
"value": "x"}``). Paths name an attribute or an additional property; nothing lies deeper.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from compute.builtin.image.attributes import build
from compute.builtin.image.fields import SETTABLE, check_name
from compute.builtin.image.record import QUEUED, Image
from compute.exception import Conflict, Forbidden, Invalid
from compute.rest.fields import fields
from compute.rest.op import Body
from compute.rest.versions import Version

MEDIA = ('application/openstack-images-v2.1-json-patch', 'application/openstack-images-v2.0-json-patch')
_KINDS = ('add', 'remove', 'replace')


@dataclass(frozen=True)
class Change:
    """One change of one name."""

    kind: str
    name: str
    value: Any = None


class PatchBody(Body):
    """Reads the list. A handler gets a list of :class:`Change`."""

    media = MEDIA

    def __init__(self) -> None:
        super().__init__(None, fields())

    def read(self, version: Version, data: Any) -> tuple[Any, dict[str, Any]]:
        """Check the form. :raises Invalid: what is wrong with which change."""
        if not isinstance(data, list):
            raise Invalid('The body of a PATCH must be a list of changes.', code='bad_patch')
        return [_change(entry) for entry in data], {}


def edited(image: Image, changes: list[Change]) -> Image:
    """Return the image after all changes.

    :raises Forbidden: a name that cannot be changed. :raises Conflict: a property to replace or remove is not there.
    """
    for change in changes:
        if change.name == 'id':
            raise Forbidden("Attribute 'id' is read-only.", code='read_only')
        check_name(change.name)
        image = _apply(image, change)
    return image


def _apply(image: Image, change: Change) -> Image:
    name = change.name
    if name in SETTABLE:
        if change.kind == 'remove':
            raise Forbidden(f'Property {name} may not be removed.', code='base_property')
        if name in ('disk_format', 'container_format') and image.status != QUEUED:
            raise Forbidden(f'Attribute {name} can be only replaced for a queued image.', code='image_has_data')
        return build(image, {name: change.value})
    if change.kind != 'add' and name not in image.properties:
        raise Conflict(f'Property {name} does not exist.', code='no_such_property')
    if change.kind == 'remove':
        return dataclasses.replace(image, properties={key: value for key, value in image.properties.items()
                                                      if key != name})
    return build(image, {name: change.value})


def _change(entry: Any) -> Change:
    if not isinstance(entry, dict):
        raise Invalid('Operations must be JSON objects.', code='bad_patch')
    kind, path = entry.get('op'), entry.get('path')
    if kind is None and path is None:
        kind = next((name for name in _KINDS if name in entry), None)
        path = entry.get(kind) if kind else None
        path = f'/{path}' if isinstance(path, str) and not path.startswith('/') else path
    if kind not in _KINDS:
        raise Invalid(f'The operation {kind!r} of a change must be one of {", ".join(_KINDS)}.', code='bad_patch')
    if kind != 'remove' and 'value' not in entry:
        raise Invalid(f'The operation {kind} of {path!r} needs a value.', code='bad_patch')
    return Change(kind, _name(path), entry.get('value'))


def _name(path: Any) -> str:
    if not isinstance(path, str) or not path.startswith('/') or len(path) < 2:
        raise Invalid(f'The path {path!r} of a change must be / and the name of a property.', code='bad_patch')
    name = path[1:]
    if '/' in name:
        raise Invalid(f'The path {path!r} of a change goes deeper than one name.', code='bad_patch')
    return name.replace('~1', '/').replace('~0', '~')
