"""Rows of credentials, whose text is encrypted."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.credential_keys import CredentialKeys
from compute.builtin.identity.db.nouns import KEPT_CREDENTIALS, Row
from compute.builtin.identity.db.tables import credentials
from compute.db.session import Database
from compute.exception import Unavailable

EC2 = 'ec2'
_BATCH = 100


def pair_id(access: str) -> str:
    """Return the id of the credential of an EC2 access key."""
    return hashlib.sha256(access.encode()).hexdigest()


def insert(connection: sa.Connection, keys: CredentialKeys, values: Row, blob: str, row_id: str | None = None) -> Row:
    """Store a credential. :raises Conflict: there is one of that id."""
    row_id = row_id or uuid.uuid4().hex
    row = KEPT_CREDENTIALS.insert(connection, {**values, 'id': row_id, 'sealed': keys.seal(row_id, blob)})
    return {**row, 'blob': blob}


def opened(connection: sa.Connection, keys: CredentialKeys, row_id: str) -> Row:
    """Return a credential with its text. :raises NotFound:"""
    row = KEPT_CREDENTIALS.secret(connection, row_id)
    sealed = row.pop('sealed')
    return {**row, 'blob': keys.unseal(row_id, sealed)}


def all_opened(connection: sa.Connection, keys: CredentialKeys, filters: dict[str, Any], *, limit: int,
               marker: str | None = None) -> list[Row]:
    """Return the credentials that fit, with their texts."""
    rows = KEPT_CREDENTIALS.all(connection, filters, limit=limit, marker=marker)
    sealed: dict[str, str] = {}
    ids = [row['id'] for row in rows]
    for start in range(0, len(ids), 500):
        query = sa.select(credentials.c.id, credentials.c.sealed).where(credentials.c.id.in_(ids[start:start + 500]))
        sealed.update((row.id, row.sealed) for row in connection.execute(query))
    return [{**row, 'blob': keys.unseal(row['id'], sealed[row['id']])} for row in rows if row['id'] in sealed]


def update(connection: sa.Connection, keys: CredentialKeys, row_id: str, changes: Row, blob: str) -> Row:
    """Change a credential and its text."""
    row = KEPT_CREDENTIALS.update(connection, row_id, {**changes, 'sealed': keys.seal(row_id, blob)})
    return {**row, 'blob': blob}


def note_bindings(database: Database, keys: CredentialKeys) -> int:
    """Copy from the text of EC2 keys to their column with which application credential they were made; return how many.

    Rows of daemons of the version before lack it. A row that cannot be decrypted is left as it is.
    """
    count, marker = 0, ''
    while True:
        def step(connection: sa.Connection, after: str = marker) -> tuple[str, int]:
            query = sa.select(credentials.c.id, credentials.c.sealed).where(
                credentials.c.id > after, credentials.c.application_credential_id.is_(None))
            rows = list(connection.execute(query.order_by(credentials.c.id).limit(_BATCH)))
            done = sum(_note_binding(connection, keys, row.id, row.sealed) for row in rows)
            return rows[-1].id if len(rows) == _BATCH else '', done
        marker, done = database.transaction(step)
        count += done
        if not marker:
            return count


def _note_binding(connection: sa.Connection, keys: CredentialKeys, row_id: str, sealed: str) -> bool:
    try:
        blob = json.loads(keys.unseal(row_id, sealed))
    except Unavailable:
        return False
    except ValueError:
        blob = None
    bound = blob.get('app_cred_id') if isinstance(blob, dict) else None
    connection.execute(credentials.update().where(credentials.c.id == row_id).values(
        application_credential_id=bound or ''))
    return True


def reseal(database: Database, keys: CredentialKeys) -> int:
    """Encrypt every row with the newest key, in small transactions; return how many."""
    count, marker = 0, ''
    while True:
        def step(connection: sa.Connection, after: str = marker) -> list[str]:
            query = sa.select(credentials.c.id, credentials.c.sealed).where(credentials.c.id > after)
            rows = list(connection.execute(query.order_by(credentials.c.id).limit(_BATCH)))
            for row in rows:
                fresh = keys.seal(row.id, keys.unseal(row.id, row.sealed))
                same = (credentials.c.id == row.id, credentials.c.sealed == row.sealed)
                connection.execute(credentials.update().where(*same).values(sealed=fresh))
            return [row.id for row in rows]
        done = database.transaction(step)
        count += len(done)
        if len(done) < _BATCH:
            return count
        marker = done[-1]
