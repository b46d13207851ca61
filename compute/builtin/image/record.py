"""The values of this daemon: an image with its tags and additional properties, and a project it is shared with."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

QUEUED, SAVING, ACTIVE, DEACTIVATED = 'queued', 'saving', 'active', 'deactivated'
STATUSES = (QUEUED, SAVING, ACTIVE, DEACTIVATED, 'killed', 'deleted', 'pending_delete', 'uploading', 'importing')
VISIBILITIES = ('private', 'shared', 'community', 'public')
MEMBER_STATUSES = ('pending', 'accepted', 'rejected')


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image. ``size`` and ``virtual_size`` are bytes, ``min_disk`` GiB, ``min_ram`` MiB.

    ``upload_id`` names the upload that runs while the status is saving, and the file it writes.
    """

    id: str
    name: str | None = None
    owner: str | None = None
    status: str = QUEUED
    visibility: str = 'shared'
    protected: bool = False
    os_hidden: bool = False
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    min_disk: int = 0
    min_ram: int = 0
    upload_id: str | None = None
    created_at: datetime.datetime
    updated_at: datetime.datetime
    tags: tuple[str, ...] = ()
    properties: dict[str, str] = field(default_factory=dict)

    @property
    def project_id(self) -> str | None:
        """The owner, under the name that policies use."""
        return self.owner


@dataclass(frozen=True, kw_only=True)
class Member:
    """A project that an image is shared with. ``project_id`` is the image's owner, for policies."""

    image_id: str
    member_id: str
    status: str = 'pending'
    project_id: str | None = None
    created_at: datetime.datetime
    updated_at: datetime.datetime


@dataclass(frozen=True, kw_only=True)
class Data:
    """What an upload turned out to be."""

    size: int
    virtual_size: int | None
    checksum: str
    os_hash_value: str
    os_hash_algo: str = 'sha512'
