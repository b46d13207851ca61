"""Engines and transactions for every store of the project, on SQLite, MariaDB and PostgreSQL.

``Database.transaction`` runs a function in one transaction and runs it again when the database says it lost against
another (deadlock, serialisation failure, SQLite busy) or that the connection went away before the commit. The
function must therefore have no effect but its SQL; messages are sent after it returned.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, make_url

from compute import exception

T = TypeVar('T')
LOG = logging.getLogger(__name__)
_writers: dict[str, Any] = {}
_writers_guard = threading.Lock()
_LOST_RACE = ('deadlock', 'lock wait timeout', 'database is locked', 'database table is locked',
              'could not serialize access', 'try restarting transaction', 'record has changed since last read')
_LOST_CONNECTION = ('lost connection', 'gone away', "can't connect", 'connection refused', 'connection reset',
                    'broken pipe', 'network error', 'server closed the connection', 'shutting down', 'starting up',
                    'shutdown', 'too many connections', 'interfaceerror', 'packet sequence', 'create a connection')


class Database:
    """One store. ``options`` is the ``[database]`` group."""

    def __init__(self, url: str, options: Any) -> None:
        self.url = make_url(url)
        self.kind = self.url.get_backend_name()
        self._retries = options.max_retries
        self.engine = _engine(self.url, options)
        # Reads commit by themselves: one trip to the server instead of three (begin, query, roll back).
        self._reader = self.engine if self.kind == 'sqlite' else _engine(self.url, options, 'AUTOCOMMIT')
        # SQLite has one writer; waiting here is fair and green, waiting inside the C library is neither.
        self._writer = _writer_of(str(self.url.database)) if self.kind == 'sqlite' else None

    def transaction(self, function: Callable[[Connection], T]) -> T:
        """Run ``function(connection)`` in one transaction and return its result; retried when it lost a race."""
        return self._retried(lambda: self._once(function))

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run a function that only reads; it takes no write lock."""
        def once() -> T:
            with self._reader.connect() as connection:
                return function(connection)
        return self._retried(once)

    def rows(self, statement: sa.sql.Select[Any]) -> list[Any]:
        """Return all rows of a query."""
        return self.read(lambda connection: list(connection.execute(statement)))

    def row(self, statement: sa.sql.Select[Any]) -> Any:
        """Return the first row of a query, or None."""
        return self.read(lambda connection: connection.execute(statement).first())

    def scalar(self, statement: sa.sql.Select[Any]) -> Any:
        """Return the first column of the first row, or None."""
        return self.read(lambda connection: connection.execute(statement).scalar())

    def ping(self) -> None:
        """Return if the store answers. :raises Unavailable:"""
        self.scalar(sa.select(sa.literal(1)))

    def dispose(self) -> None:
        """Close all connections: before a fork, and at the end."""
        self.engine.dispose()
        self._reader.dispose()

    def _once(self, function: Callable[[Connection], T]) -> T:
        with self._writing(), self.engine.begin() as connection:
            if self.kind == 'sqlite':
                connection.exec_driver_sql('BEGIN IMMEDIATE')
            return function(connection)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._writer is None:
            yield
            return
        with self._writer:
            yield

    def _retried(self, attempt: Callable[[], T]) -> T:
        for number in range(self._retries + 1):
            try:
                return attempt()
            except (exc.OperationalError, exc.InternalError, exc.InterfaceError, exc.DatabaseError) as error:
                if isinstance(error, exc.IntegrityError):
                    raise
                if _is_unfit(error):
                    LOG.warning('the database refused a value: %s', error.orig)
                    raise _unfit() from error
                if not _transient(error):
                    raise
                if number == self._retries:
                    raise _unavailable(error) from error
                LOG.debug('transaction tried again (%d): %s', number + 1, error.orig)
                time.sleep(min(1.0, 0.01 * 2 ** number) * random.uniform(0.5, 1.5))
            except OverflowError as error:  # SQLite's driver: beyond 64 bits
                raise _unfit() from error
            except exc.TimeoutError as error:
                raise exception.Unavailable('The database has no free connection', code='database_busy') from error
        raise AssertionError('unreachable')


def _writer_of(path: str) -> threading.RLock:  # type: ignore[valid-type]
    """Return the lock of a file, the same for every daemon of this process."""
    with _writers_guard:
        return _writers.setdefault(path, threading.RLock())


def _engine(url: sa.URL, options: Any, isolation: str = 'READ COMMITTED') -> sa.Engine:
    kind = url.get_backend_name()
    if kind == 'sqlite':
        engine = sa.create_engine(url, connect_args={'timeout': 5, 'check_same_thread': False},
                                  poolclass=sa.pool.QueuePool, pool_size=options.max_pool_size,
                                  max_overflow=options.max_overflow, json_deserializer=orjson.loads)
        event.listen(engine, 'do_connect', lambda *connection: _make_private(url.database))
        event.listen(engine, 'connect', _prepare_sqlite)
        return engine
    arguments: dict[str, Any] = {'timeout': options.query_timeout}
    if kind == 'mysql':
        arguments = {'connect_timeout': 10, 'read_timeout': options.query_timeout,
                     'write_timeout': options.query_timeout, 'charset': 'utf8mb4'}
    engine = sa.create_engine(
        url, pool_size=options.max_pool_size, max_overflow=options.max_overflow, pool_timeout=options.pool_timeout,
        pool_recycle=3600, isolation_level=isolation, connect_args=arguments, json_deserializer=orjson.loads,
        # Not pinged before use and not rolled back after it: a connection that is lost is found by the statement, which
        # is tried again, and every transaction ends in a commit or a rollback of its own.
        pool_reset_on_return=None)
    if kind == 'postgresql':
        event.listen(engine, 'handle_error', _name_violation)
    return engine


def _name_violation(context: Any) -> None:
    """Make every broken constraint an IntegrityError, as elsewhere; pg8000 does so for unique ones only.

    :raises exc.IntegrityError: instead of the error at hand.
    """
    found = context.sqlalchemy_exception
    details = context.original_exception.args[:1]
    code = str(details[0].get('C', '')) if details and isinstance(details[0], dict) else ''
    if code.startswith('23') and found is not None and not isinstance(found, exc.IntegrityError):
        raise exc.IntegrityError(found.statement, found.params, found.orig) from context.original_exception


def _make_private(path: str | None) -> None:
    """Make a store's file before SQLite does, readable for this user only: it holds password hashes and user data."""
    if path and path != ':memory:' and not os.path.exists(path):
        with suppress(OSError):  # SQLite says better what is wrong
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _prepare_sqlite(connection: Any, record: Any) -> None:
    connection.isolation_level = None  # we begin transactions ourselves, immediately: no upgrade of a read lock
    for pragma in ('journal_mode=WAL', 'synchronous=NORMAL', 'foreign_keys=ON', 'busy_timeout=1000',
                   'cache_size=-16000'):
        connection.execute(f'PRAGMA {pragma}')


def _transient(error: exc.DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    text = str(error.orig).lower()
    return any(words in text for words in _LOST_RACE + _LOST_CONNECTION)


def _is_unfit(error: exc.DBAPIError) -> bool:
    """Tell whether a value is of no use for its column: too large, too long, no such time (SQLSTATE 22)."""
    details = getattr(error.orig, 'args', ())[:1]
    state = str(details[0].get('C', '')) if details and isinstance(details[0], dict) else ''
    return isinstance(error, exc.DataError) or state.startswith('22')


def _unfit() -> exception.Invalid:
    return exception.Invalid('A value of the request is too large or too long to be stored or looked for',
                             code='value_out_of_range')


def _unavailable(error: exc.DBAPIError) -> exception.Unavailable:
    LOG.error('the database does not answer: %s', error.orig)
    return exception.Unavailable('The database does not answer', code='database_unavailable',
                                 hint='see whether the database server runs and has free connections')
