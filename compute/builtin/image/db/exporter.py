"""The store of images as the common exporter for OpenStack shows it."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import metrics
from compute.builtin.image.db.tables import images

_MOST_IMAGES = 1000


def glance(database: Any) -> Iterator[metrics.Sample]:
    """Yield what the exporter shows of glance: the newest images one by one."""
    return metrics.exported('openstack_glance', {
        'images': lambda: database.read(lambda connection: list(_images(connection)))})


def _images(connection: Connection) -> Iterator[metrics.Sample]:
    number = connection.execute(sa.select(sa.func.count()).select_from(images)).scalar()
    yield 'openstack_glance_images', number or 0, ()
    for row in connection.execute(sa.select(images).order_by(images.c.created_at.desc()).limit(_MOST_IMAGES)):
        who = (row.id, row.name or '', row.owner or '')
        yield 'openstack_glance_image_bytes', row.size or 0, who
        yield 'openstack_glance_image_created_at', row.created_at.replace(tzinfo=datetime.UTC).timestamp(), (
            *who, row.status, row.visibility, str(bool(row.os_hidden)).lower())
