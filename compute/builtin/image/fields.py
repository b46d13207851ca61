"""Field tables of the Image API: what a body may hold. The same tables make the schemas that clients can read."""

from __future__ import annotations

from typing import Any

from compute.builtin.image.record import MEMBER_STATUSES, STATUSES, VISIBILITIES
from compute.exception import Forbidden
from compute.rest.fields import Required, fields

DISK_FORMATS = ('ami', 'ari', 'aki', 'vhd', 'vhdx', 'vmdk', 'raw', 'qcow2', 'vdi', 'ploop', 'iso')
CONTAINER_FORMATS = ('ami', 'ari', 'aki', 'bare', 'ovf', 'ova', 'docker', 'compressed')
_UUID = r'^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
_MAX_INT = 2 ** 31 - 1
_NO_NUL = r'^[^\x00]*$'

TAG = {'type': 'string', 'maxLength': 255, 'minLength': 1, 'pattern': _NO_NUL}
SETTABLE: dict[str, Any] = {
    'id': {'type': 'string', 'pattern': _UUID, 'description': 'A UUID for the image.'},
    'name': {'type': ['null', 'string'], 'maxLength': 255, 'pattern': _NO_NUL, 'description': 'A name to show.'},
    'owner': {'type': ['null', 'string'], 'maxLength': 255, 'description': 'The project that the image belongs to.'},
    'visibility': {'type': 'string', 'enum': list(VISIBILITIES), 'description': 'Who can see the image.'},
    'protected': {'type': 'boolean', 'description': 'Whether the image cannot be deleted.'},
    'os_hidden': {'type': 'boolean', 'description': 'Whether lists leave the image out.'},
    'disk_format': {'type': ['null', 'string'], 'enum': [None, *DISK_FORMATS], 'description': 'Format of the disk.'},
    'container_format': {'type': ['null', 'string'], 'enum': [None, *CONTAINER_FORMATS],
                         'description': 'Format of what the disk is wrapped in.'},
    'min_disk': {'type': 'integer', 'minimum': 0, 'maximum': _MAX_INT,
                 'description': 'Disk (GiB) that a server needs for this image.'},
    'min_ram': {'type': 'integer', 'minimum': 0, 'maximum': _MAX_INT,
                'description': 'Memory (MiB) that a server needs for this image.'},
    'tags': {'type': 'array', 'items': TAG, 'description': 'Words attached to the image.'},
}
READ_ONLY: dict[str, Any] = {
    'status': {'type': 'string', 'enum': list(STATUSES), 'description': 'What state the image is in.'},
    'size': {'type': ['null', 'integer'], 'description': 'Bytes of the data.'},
    'virtual_size': {'type': ['null', 'integer'], 'description': 'Bytes of the disk that the data holds.'},
    'checksum': {'type': ['null', 'string'], 'maxLength': 32, 'description': 'MD5 of the data.'},
    'os_hash_algo': {'type': ['null', 'string'], 'maxLength': 64, 'description': 'Algorithm of os_hash_value.'},
    'os_hash_value': {'type': ['null', 'string'], 'maxLength': 128, 'description': 'Digest of the data.'},
    'created_at': {'type': 'string', 'description': 'When the image was made.'},
    'updated_at': {'type': 'string', 'description': 'When the image was last changed.'},
    'self': {'type': 'string', 'description': 'URL of the image.'},
    'file': {'type': 'string', 'description': 'URL of the data.'},
    'schema': {'type': 'string', 'description': 'URL of the schema of an image.'},
}
_HIDDEN = ('locations', 'direct_url', 'stores')
_RESERVED = ('location', 'deleted', 'deleted_at')
_RESERVED_PREFIX = 'os_glance'

_PART = {'type': ['null', 'string'], 'pattern': _UUID, 'is_base': False}
KNOWN_PROPERTIES: dict[str, Any] = {
    'kernel_id': {**_PART, 'description': 'The image of a kernel that servers boot; null is the same as none.'},
    'ramdisk_id': {**_PART, 'description': 'The image of a RAM disk for the kernel; null is the same as none.'},
}
"""Additional properties with a form of their own."""

PROPERTY = {'type': 'string', 'maxLength': 65535, 'pattern': _NO_NUL}
CREATE = fields({**SETTABLE, **KNOWN_PROPERTIES}, extra=PROPERTY,
                rules={'propertyNames': {'maxLength': 255, 'minLength': 1, 'pattern': _NO_NUL}})
MEMBER = fields(member=Required({'type': 'string', 'minLength': 1, 'maxLength': 255}))
MEMBER_STATUS = fields(status=Required({'type': 'string', 'enum': list(MEMBER_STATUSES)}))


def check_name(name: str) -> None:
    """:raises Forbidden: only the daemon sets the attribute of this name, or it is kept for the daemon's own use."""
    if name in READ_ONLY or name in _HIDDEN:
        raise Forbidden(f"Attribute '{name}' is read-only.", code='read_only')
    if is_reserved(name):
        raise Forbidden(f"Attribute '{name}' is reserved.", code='reserved')


def is_reserved(name: str) -> bool:
    """Return whether no property has this name. The releases before let users set some of them."""
    return name in _HIDDEN or name in _RESERVED or name.startswith(_RESERVED_PREFIX)
