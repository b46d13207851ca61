"""What handlers reach as ``call.app``, and how they find the image that a URL names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from compute.builtin.image.db import images, members
from compute.builtin.image.record import Image, Member
from compute.builtin.image.store import FileStore
from compute.db.session import Database
from compute.rest.call import Call

_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


@dataclass(frozen=True)
class App:
    """The daemon's own objects. ``options`` is the ``[image]`` group."""

    db: Database
    store: FileStore
    options: Any


def load_image(call: Call) -> Image:
    """Return the image of a URL. :raises NotFound: there is none, or the caller cannot see it, or it is a name."""
    image_id = call.path['image_id']
    if not _UUID.fullmatch(image_id):
        raise images.missing(image_id)
    image = images.get(call.app.db, image_id)
    if not _sees(call, image):
        raise images.missing(image_id)
    return image


def load_member(call: Call) -> Member:
    """Return the member of a URL. :raises NotFound: also when the caller is neither the owner nor that member."""
    image = load_image(call)
    member_id = call.path['member_id']
    project = call.context.project_id
    if not call.may('image_sees_all') and project not in (image.owner, member_id):
        raise images.missing(image.id)
    return members.get(call.app.db, image, member_id)


def _sees(call: Call, image: Image) -> bool:
    project = call.context.project_id
    if call.may('image_sees_all') or image.visibility in ('public', 'community') or project == image.owner:
        return True
    return image.visibility == 'shared' and members.is_member(call.app.db, image.id, project or '')
