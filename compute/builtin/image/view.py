"""How images and members look in JSON."""

from __future__ import annotations

import datetime
from typing import Any

from compute.builtin.image.fields import is_reserved
from compute.builtin.image.record import Image, Member

_SHOWN = ('id', 'name', 'status', 'visibility', 'protected', 'os_hidden', 'owner', 'size', 'virtual_size', 'checksum',
          'os_hash_algo', 'os_hash_value', 'min_disk', 'min_ram', 'disk_format', 'container_format')


def show_image(image: Image) -> dict[str, Any]:
    """Return an image as its clients expect it: additional properties stand beside the attributes."""
    path = f'/v2/images/{image.id}'
    properties = {name: value for name, value in image.properties.items() if not is_reserved(name)}
    return {**properties, **{name: getattr(image, name) for name in _SHOWN}, 'tags': list(image.tags),
            'created_at': when(image.created_at), 'updated_at': when(image.updated_at), 'self': path,
            'file': f'{path}/file', 'schema': '/v2/schemas/image'}


def show_member(member: Member) -> dict[str, Any]:
    """Return a member."""
    return {'image_id': member.image_id, 'member_id': member.member_id, 'status': member.status,
            'created_at': when(member.created_at), 'updated_at': when(member.updated_at),
            'schema': '/v2/schemas/member'}


def when(moment: datetime.datetime) -> str:
    """Return a time in whole seconds with a Z, as Glance's clients parse it."""
    return moment.strftime('%Y-%m-%dT%H:%M:%SZ')
