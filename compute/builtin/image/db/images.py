"""Images as rows: find, make, change, delete, and the steps of an upload as compare-and-swap."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.builtin.image import record
from compute.builtin.image.db.tables import images, members, properties, tags, used_ids
from compute.builtin.image.record import Data, Image
from compute.db.session import Database
from compute.exception import Conflict, NotFound, TooLarge

_COLUMNS = tuple(column.name for column in images.columns)


def missing(image_id: str) -> NotFound:
    """Return the error for an image that is not there or not for this caller."""
    return NotFound(f'No image found with ID {image_id}', code='image_not_found')


def get(db: Database, image_id: str) -> Image:
    """Return an image. :raises NotFound: there is none of that id."""
    return db.read(lambda connection: _get(connection, image_id))


def attach(connection: Connection, rows: Iterable[Any]) -> list[Image]:
    """Make images of rows, with their tags and properties: two queries however many rows there are."""
    rows = list(rows)
    ids = [row.id for row in rows]
    found_tags: dict[str, list[str]] = {}
    found_properties: dict[str, dict[str, str]] = {}
    if ids:
        for row in connection.execute(sa.select(tags).where(tags.c.image_id.in_(ids)).order_by(tags.c.tag)):
            found_tags.setdefault(row.image_id, []).append(row.tag)
        for row in connection.execute(sa.select(properties).where(properties.c.image_id.in_(ids))):
            found_properties.setdefault(row.image_id, {})[row.name] = row.value
    return [Image(**{name: getattr(row, name) for name in _COLUMNS}, tags=tuple(found_tags.get(row.id, ())),
                  properties=found_properties.get(row.id, {})) for row in rows]


def create(db: Database, image: Image, *, count_limit: int = 0) -> None:
    """Store a new image.

    :raises Conflict: the id belongs to an image, or belonged to one that was deleted. :raises TooLarge: over the
    project's limit.
    """
    def insert(connection: Connection) -> None:
        _use_id(connection, image.id)
        if count_limit:
            _check_count(connection, image.owner, count_limit)
        connection.execute(images.insert().values({name: getattr(image, name) for name in _COLUMNS}))
        _insert_properties(connection, image.id, image.properties)
        _insert_tags(connection, image.id, image.tags)
    db.transaction(insert)


def change(db: Database, image_id: str, edit: Callable[[Image], Image], now: datetime.datetime) -> Image:
    """Apply ``edit`` to the newest state of an image in one transaction and return the result.

    :raises NotFound: it is gone. What ``edit`` raises passes through and nothing changes.
    """
    def run(connection: Connection) -> Image:
        connection.execute(sa.select(images.c.id).where(images.c.id == image_id).with_for_update())
        old = _get(connection, image_id)
        new = edit(old)
        values = {name: getattr(new, name) for name in _COLUMNS if getattr(new, name) != getattr(old, name)}
        values.pop('id', None)
        if values or new.properties != old.properties or new.tags != old.tags:
            connection.execute(images.update().where(images.c.id == image_id).values(**values, updated_at=now))
        if new.properties != old.properties:
            connection.execute(properties.delete().where(properties.c.image_id == image_id))
            _insert_properties(connection, image_id, new.properties)
        if new.tags != old.tags:
            connection.execute(tags.delete().where(tags.c.image_id == image_id))
            _insert_tags(connection, image_id, new.tags)
        return _get(connection, image_id)
    return db.transaction(run)


def delete(db: Database, image_id: str, check: Callable[[Image], None]) -> None:
    """Delete an image that ``check`` (which may raise) has nothing against. Its id stays used. :raises NotFound:"""
    def run(connection: Connection) -> None:
        connection.execute(sa.select(images.c.id).where(images.c.id == image_id).with_for_update())
        check(_get(connection, image_id))
        for table in (properties, tags, members):
            connection.execute(table.delete().where(table.c.image_id == image_id))
        _keep_id(connection, image_id)
        connection.execute(images.delete().where(images.c.id == image_id))
    db.transaction(run)


def begin_upload(db: Database, image_id: str, upload_id: str, now: datetime.datetime) -> bool:
    """Take a queued image for one upload; False if it is no longer queued."""
    return _swap(db, image_id, images.c.status == record.QUEUED, status=record.SAVING, upload_id=upload_id,
                 updated_at=now)


def finish_upload(db: Database, image_id: str, upload_id: str, data: Data, now: datetime.datetime, *,
                  owner: str | None = None, total: int = 0) -> bool:
    """Make the image active with what the upload found; False if the image is no longer this upload's.

    :raises TooLarge: the images of ``owner`` would have more than ``total`` bytes (0: any number) together.
    """
    def finish(connection: Connection) -> bool:
        if total:
            _lock_all(connection, owner)
        done = connection.execute(_swapping(
            image_id, images.c.upload_id == upload_id, status=record.ACTIVE, upload_id=None, size=data.size,
            virtual_size=data.virtual_size, checksum=data.checksum, os_hash_algo=data.os_hash_algo,
            os_hash_value=data.os_hash_value, updated_at=now)).rowcount
        if done and total and (over := int(connection.execute(_bytes_of(owner)).scalar_one()) - total) > 0:
            raise TooLarge(f'Image {image_id} has {data.size} bytes; project {owner} has {max(0, data.size - over)} of '
                           f'its {total} bytes left.', code='image_size_limit')
        return bool(done)
    # A commit whose answer was lost is tried again, and then finds nothing to do.
    return db.transaction(finish) or is_active_with(db, image_id, data.os_hash_value)


def is_active_with(db: Database, image_id: str, digest: str) -> bool:
    """Tell whether an image is active with the data of that SHA-512."""
    return db.row(sa.select(images.c.id).where(images.c.id == image_id, images.c.status == record.ACTIVE,
                                               images.c.os_hash_value == digest)) is not None


def abandon_upload(db: Database, image_id: str, upload_id: str, now: datetime.datetime) -> bool:
    """Make the image queued again after a failed upload; False if it is no longer this upload's."""
    return _swap(db, image_id, images.c.upload_id == upload_id, status=record.QUEUED, upload_id=None, updated_at=now)


def is_unfinished(db: Database, image_id: str, upload_id: str) -> bool:
    """Tell whether the image is gone or still that upload's, so that nothing but the upload needs its data."""
    row = db.row(sa.select(images.c.upload_id).where(images.c.id == image_id))
    return row is None or row.upload_id == upload_id


def uploading(db: Database) -> list[tuple[str, str]]:
    """Return (image id, upload id) of all images that are being uploaded, or were when their daemon died."""
    statement = sa.select(images.c.id, images.c.upload_id).where(images.c.upload_id.is_not(None))
    return [(row.id, row.upload_id) for row in db.rows(statement)]


def existing(db: Database, ids: Iterable[str]) -> set[str]:
    """Return those of ``ids`` that belong to an image."""
    wanted = list(ids)
    found: set[str] = set()
    for start in range(0, len(wanted), 500):
        statement = sa.select(images.c.id).where(images.c.id.in_(wanted[start:start + 500]))
        found.update(row.id for row in db.rows(statement))
    return found


def stored_bytes(db: Database, owner: str | None) -> int:
    """Return how many bytes the images of a project have together."""
    return int(db.scalar(_bytes_of(owner)))


def _use_id(connection: Connection, image_id: str) -> None:
    """Note that an id is used, before its image exists. :raises Conflict: it was used before."""
    taken = Conflict(f'Image ID {image_id} already exists!', code='image_exists')
    if connection.execute(sa.select(images.c.id).where(images.c.id == image_id)).first():
        raise taken
    try:
        # The key decides between requests that come at once: none of them sees what another has not committed.
        with connection.begin_nested():
            connection.execute(used_ids.insert().values(id=image_id))
    except sa.exc.IntegrityError:
        raise taken from None


def _keep_id(connection: Connection, image_id: str) -> None:
    """Note the id of an image made by a daemon of the release before, which did not note it."""
    if not connection.execute(sa.select(used_ids.c.id).where(used_ids.c.id == image_id)).first():
        connection.execute(used_ids.insert().values(id=image_id))


def _bytes_of(owner: str | None) -> sa.sql.Select[Any]:
    return sa.select(sa.func.coalesce(sa.func.sum(images.c.size), 0)).where(images.c.owner == owner)


def _lock_all(connection: Connection, owner: str | None) -> None:
    """Lock all images of a project, in one order: whoever sums and then adds does so alone."""
    connection.execute(sa.select(images.c.id).where(images.c.owner == owner).order_by(images.c.id).with_for_update())


def _get(connection: Connection, image_id: str) -> Image:
    row = connection.execute(sa.select(images).where(images.c.id == image_id)).first()
    if row is None:
        raise missing(image_id)
    return attach(connection, [row])[0]


def _swap(db: Database, image_id: str, condition: Any, **values: Any) -> bool:
    statement = _swapping(image_id, condition, **values)
    return db.transaction(lambda connection: bool(connection.execute(statement).rowcount))


def _swapping(image_id: str, condition: Any, **values: Any) -> sa.Update:
    return images.update().where(images.c.id == image_id, condition).values(**values)


def _insert_properties(connection: Connection, image_id: str, values: dict[str, str]) -> None:
    if values:
        connection.execute(properties.insert(), [{'image_id': image_id, 'name': name, 'value': value}
                                                 for name, value in values.items()])


def _insert_tags(connection: Connection, image_id: str, values: Iterable[str]) -> None:
    rows = [{'image_id': image_id, 'tag': tag} for tag in dict.fromkeys(values)]
    if rows:
        connection.execute(tags.insert(), rows)


def _check_count(connection: Connection, owner: str | None, limit: int) -> None:
    used = connection.execute(sa.select(sa.func.count()).select_from(images).where(images.c.owner == owner)).scalar()
    if (used or 0) >= limit:
        raise TooLarge(f'Project {owner} has {used} images; its limit is {limit}.', code='image_count_total')
