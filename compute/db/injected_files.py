"""The contents of files that users put into servers. Their paths are members of the servers themselves."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute.db.tables import injected_files as table
from compute.objects.injected_file import InjectedFile
from compute.objects.instance import Instance


def insert(connection: Connection, uuids: Sequence[str], files: Sequence[InjectedFile]) -> None:
    """Store the same files for each of these servers."""
    rows = [{'instance_uuid': uuid, 'number': number, 'content': file.content}
            for uuid in uuids for number, file in enumerate(files)]
    if rows:
        connection.execute(table.insert(), rows)


def contents(connection: Connection, instance: Instance) -> tuple[str, ...]:
    """Return the contents in the order of the paths, in base64; nothing is asked for a server without files."""
    if not instance.file_paths:
        return ()
    query = sa.select(table.c.content).where(table.c.instance_uuid == instance.uuid).order_by(table.c.number)
    return tuple(row.content for row in connection.execute(query))


def content(connection: Connection, uuid: str, number: int) -> str | None:
    """Return one content in base64, None if there is none of that number."""
    query = sa.select(table.c.content).where(table.c.instance_uuid == uuid, table.c.number == number)
    row = connection.execute(query).first()
    return str(row.content) if row is not None else None


def forget(connection: Connection, *uuids: str) -> None:
    """Delete the contents of the files of servers."""
    connection.execute(table.delete().where(table.c.instance_uuid.in_(uuids)))
