"""Reads and writes the rows of one noun: what is the same for users, projects, domains, roles, services ...

A row leaves here as a dict, with the attributes that clients invented beside the known ones and without what must never
be shown. Every function takes the connection of the caller's transaction.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db import tables
from compute.exception import Conflict, Forbidden, NotFound

Row = dict[str, Any]
_CHUNK = 500
"""Ids in one statement: databases limit its parameters."""


class Noun:
    """One table. ``hidden`` columns are left out of rows; ``defaults`` are the values of a new row.

    ``derive`` returns columns that follow from the others when a name is set.
    """

    def __init__(self, word: str, table: sa.Table, *, hidden: tuple[str, ...] = (),
                 derive: Callable[[Mapping[str, Any]], Row] = lambda row: {}, **defaults: Any) -> None:
        self.word, self.table, self.hidden, self._derive = word, table, hidden, derive
        self._defaults = {'options': {}, 'extra': {}, **defaults}
        self._shown = [column for column in table.c if column.name not in hidden]
        self._reserved = {*hidden, 'id', 'extra', 'links'}

    def accepted(self, values: Mapping[str, Any]) -> Row:
        """Return what a client may set of what it sent. Attributes of its own invention stay in."""
        return {name: value for name, value in values.items() if name not in self._reserved}

    def insert(self, connection: sa.Connection, values: Mapping[str, Any]) -> Row:
        """Store a row and return it. :raises Conflict: its id or name is taken."""
        row = {**self._defaults, 'id': uuid.uuid4().hex, **self._split(values, {})}
        row |= self._derive(row)
        with _conflict(self._taken(row)):
            connection.execute(self.table.insert().values(row))
        return self.get(connection, row['id'])

    def get(self, connection: sa.Connection, row_id: str) -> Row:
        """Return the row. :raises NotFound:"""
        found = self.find(connection, id=row_id)
        if found is None:
            raise NotFound(f'Could not find {self.word}: {row_id}.')
        return found

    def find(self, connection: sa.Connection, **filters: Any) -> Row | None:
        """Return the first row that fits, or None."""
        rows = self.all(connection, filters, limit=1)
        return rows[0] if rows else None

    def all(self, connection: sa.Connection, filters: Mapping[str, Any] | None = None, *, limit: int | None = None,
            marker: str | None = None, where: Iterable[sa.ColumnElement[bool]] = ()) -> list[Row]:
        """Return the rows that fit, by id; a filter with a list fits each of its values, None fits nothing set."""
        if any(isinstance(value, str) and '\0' in value for value in (filters or {}).values()):
            return []  # no row has it, and PostgreSQL refuses to look
        query = sa.select(*self._shown).where(*where).order_by(self.table.c.id)
        for name, value in (filters or {}).items():
            column = self.table.c[name]
            query = query.where(column.in_(value) if isinstance(value, list | set | tuple) else column == value)
        if marker:
            query = query.where(self.table.c.id > marker)
        if limit is not None:
            query = query.limit(limit)
        return [_row(row._mapping) for row in connection.execute(query)]

    def of_ids(self, connection: sa.Connection, ids: Iterable[str], **filters: Any) -> dict[str, Row]:
        """Return the rows of these ids that exist and fit, by id."""
        wanted, found = sorted(set(ids)), dict[str, Row]()
        for start in range(0, len(wanted), _CHUNK):
            rows = self.all(connection, {**filters, 'id': wanted[start:start + _CHUNK]})
            found.update({row['id']: row for row in rows})
        return found

    def secret(self, connection: sa.Connection, row_id: str) -> Row:
        """Return all columns of a row, hidden ones too: for checks, never for an answer."""
        found = connection.execute(sa.select(self.table).where(self.table.c.id == row_id)).first()
        if found is None:
            raise NotFound(f'Could not find {self.word}: {row_id}.')
        return _row(found._mapping)

    def update(self, connection: sa.Connection, row_id: str, changes: Mapping[str, Any]) -> Row:
        """Change a row and return it. :raises Conflict: the name is taken. :raises Forbidden: it is immutable."""
        old = connection.execute(sa.select(self.table).where(self.table.c.id == row_id).with_for_update()).first()
        if old is None:
            raise NotFound(f'Could not find {self.word}: {row_id}.')
        options = {**old.options, **changes.get('options', {})}
        if old.options.get('immutable') and options.get('immutable'):
            raise self._immutable(row_id)
        values = self._split({**changes, 'options': {key: item for key, item in options.items() if item is not None}},
                             old.extra)
        if 'name' in values:
            values |= self._derive({**old._mapping, **values})
        with _conflict(self._taken(values)):
            connection.execute(self.table.update().where(self.table.c.id == row_id).values(values))
        return self.get(connection, row_id)

    def delete(self, connection: sa.Connection, row_id: str) -> None:
        """Remove a row. :raises Forbidden: it is immutable. :raises Conflict: something else still needs it."""
        if self.get(connection, row_id)['options'].get('immutable'):
            raise self._immutable(row_id)
        with _conflict(Conflict(f'{self.word} {row_id} is still in use')):
            connection.execute(self.table.delete().where(self.table.c.id == row_id))

    def _split(self, values: Mapping[str, Any], extra: Mapping[str, Any]) -> Row:
        known = {name: value for name, value in values.items() if name in self.table.c and name != 'extra'}
        unknown = {name: value for name, value in values.items() if name not in self.table.c}
        return {**known, 'extra': {**extra, **unknown}}

    def _taken(self, values: Mapping[str, Any]) -> Conflict:
        name = values.get('name') or values.get('id')
        return Conflict(f'Conflict occurred attempting to store {self.word}: {name!r} exists already.')

    def _immutable(self, row_id: str) -> Forbidden:
        return Forbidden(f'{self.word} {row_id} has the option immutable; unset it first.')


@contextmanager
def _conflict(conflict: Conflict) -> Iterator[None]:
    """Raise this when a constraint is broken. pg8000 calls a broken foreign key (23503) a programming error."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        if isinstance(error, sa.exc.IntegrityError) or "'23503'" in str(error.orig):
            raise conflict from error
        raise


def _row(values: Any) -> Row:
    # SQLAlchemy's names are a kind of str that the JSON encoder does not take as keys
    found: Row = {str(name): value for name, value in values.items()}
    return {**found.pop('extra'), **found}


def _name_key(role: Mapping[str, Any]) -> Row:
    """Return what is unique of a role: its domain with its name. Policies compare names without regard to case."""
    text = f'{role.get("domain_id") or ""}\n{role["name"].lower()}'
    return {'name_key': hashlib.sha256(text.encode()).hexdigest()}


DOMAINS = Noun('domain', tables.domains, enabled=True, tags=[])
PROJECTS = Noun('project', tables.projects, enabled=True, tags=[])
USERS = Noun('user', tables.users, hidden=('password_hash',), enabled=True)
GROUPS = Noun('group', tables.groups)
ROLES = Noun('role', tables.roles, hidden=('name_key',), derive=_name_key)
SERVICES = Noun('service', tables.services, enabled=True)
REGIONS = Noun('region', tables.regions)
ENDPOINTS = Noun('endpoint', tables.endpoints, enabled=True)
CREDENTIALS = Noun('application credential', tables.application_credentials, hidden=('secret_hash',),
                   unrestricted=False)
KEPT_CREDENTIALS = Noun('credential', tables.credentials, hidden=('sealed', 'application_credential_id'),
                        application_credential_id='')
