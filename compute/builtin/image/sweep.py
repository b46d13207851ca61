"""Cleans up after uploads that died with their process, and removes files that no image owns.

See ``store.py`` for the lock that tells a living upload from a dead one. Everything here may run in several daemons at
once and while uploads begin and end.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from contextlib import suppress

from compute.builtin.image.db import images
from compute.builtin.image.store import FileStore, claim
from compute.db.session import Database
from compute.objects.value import now

LOG = logging.getLogger(__name__)
_UUID = re.compile(r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}')


def sweep(db: Database, store: FileStore) -> int:
    """Do one round and return how many dead uploads and files were found."""
    return _dead_uploads(db, store) + _orphan_parts(db, store) + _orphan_finals(db, store)


def _dead_uploads(db: Database, store: FileStore) -> int:
    found = 0
    for image_id, upload_id in images.uploading(db):
        # In this order: an upload that lives renames its file from the first to the second.
        paths = [store.part(upload_id), store.final(image_id)]
        claims = [(path, claim(path)) for path in paths]
        alive = any(descriptor is None and os.path.exists(path) for path, descriptor in claims)
        try:
            # Asked again with the locks held: it may have been finished in the meantime.
            if not alive and images.is_unfinished(db, image_id, upload_id):
                for path, descriptor in claims:
                    if descriptor is not None:
                        _unlink(path)
                images.abandon_upload(db, image_id, upload_id, now())
                LOG.warning('the upload of image %s died; the image is queued again', image_id)
                found += 1
        finally:
            _release([descriptor for _, descriptor in claims])
    return found


def _orphan_parts(db: Database, store: FileStore) -> int:
    names = [name for name in store.parts() if _UUID.fullmatch(name)]
    used = {upload_id for _, upload_id in images.uploading(db)}
    return sum(_remove_if_dead(store.part(name)) for name in names if name not in used)


def _orphan_finals(db: Database, store: FileStore) -> int:
    names = [name for name in store.finals() if _UUID.fullmatch(name)]
    known = images.existing(db, names)
    gone = [name for name in names if name not in known]
    # Asked again with the lock held: an image may have been made since, under an id that a client chose.
    return sum(_remove_if_dead(store.final(name), lambda name=name: not images.existing(db, [name]))  # type: ignore[misc]
               for name in gone)


def _remove_if_dead(path: str, still: Callable[[], bool] = lambda: True) -> int:
    descriptor = claim(path)
    if descriptor is None:
        return 0
    try:
        if not still():
            return 0
        LOG.info('removing %s, which belongs to no image', path)
        _unlink(path)
    finally:
        _release([descriptor])
    return 1


def _unlink(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)


def _release(descriptors: list[int | None]) -> None:
    for descriptor in descriptors:
        if descriptor is not None:
            os.close(descriptor)
