"""Engines and transactions for every store of the project, on SQLite, MariaDB and PostgreSQL.

``Database.transaction`` runs a function in one transaction and runs it again when the database says it lost against
another (deadlock, serialisation failure, SQLite busy) or when the connection went away before the commit. The
function must therefore have no effect but its SQL; messages are sent after it returned.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import orjson
import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import Connection, make_url

from compute import exception, health, metrics
from compute.db import faults

T = TypeVar('T')
LOG = logging.getLogger(__name__)
_writers: dict[str, Any] = {}
_writers_guard = threading.Lock()
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_LATER = 'compute.later'
_UNHURRIED = 86400  # seconds that a change of a schema waits for a lock


class Lead:
    """What has to run first in a transaction. ``done``: one that began with it is committed."""

    def __init__(self, function: Callable[[Connection], Any]) -> None:
        self.function, self.done = function, False


def after_commit(connection: Connection, act: Callable[[], None]) -> None:
    """Do something once the transaction that runs has been committed: an attempt that is made again does it once."""
    connection.info.setdefault(_LATER, []).append(act)


class Database:
    """One store. ``options`` is the ``[database]`` group."""

    def __init__(self, url: str | sa.URL, options: Any) -> None:
        self.url = make_url(url)
        self.kind = self.url.get_backend_name()
        self.name = os.path.splitext(os.path.basename(self.url.database or 'memory'))[0]
        self._retries, self._options = options.max_retries, options
        self.engine = _engine(self.url, options)
        # Reads commit by themselves: one trip to the server instead of three (begin, query, roll back).
        self._reader = self.engine if self.kind == 'sqlite' else _engine(self.url, options, 'AUTOCOMMIT')
        # SQLite has one writer; waiting here is fair and green, waiting inside the C library is neither.
        self._writer = _writer_of(str(self.url.database)) if self.kind == 'sqlite' else None
        self._leads = threading.local()
        self._breaker = faults.Breaker()
        _databases.add(self)

    def transaction(self, function: Callable[[Connection], T]) -> T:
        """Run ``function(connection)`` in one transaction and return its result; retried when it lost a race.

        :raises Unavailable: ``database_unsure``: the connection was lost at the commit. Done once more it might be done
            twice, so it is not; whoever asks again finds out.
        """
        return self._retried('write', lambda: self._once(function))

    @contextmanager
    def led_by(self, function: Callable[[Connection], Any]) -> Iterator[Lead]:
        """Let ``function(connection)`` run first in this thread's transactions until one of them is committed.

        What it writes is there if and only if what that transaction writes is.
        """
        self._leads.current = lead = Lead(function)
        try:
            yield lead
        finally:
            self._leads.current = None

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run a function that only reads; it takes no write lock."""
        def once() -> T:
            with self._reader.connect() as connection:
                return function(connection)
        return self._retried('read', once)

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

    def round_trip(self) -> float:
        """Return the seconds of a query that does nothing, on a connection of the pool. :raises Unavailable:

        Tried twice at most, so that one who watches knows soon; connections from before a restart fail once.
        """
        for last in (False, True):
            begin = time.perf_counter()
            try:
                with self._reader.connect() as connection:
                    connection.execute(sa.select(sa.literal(1)))
                return time.perf_counter() - begin
            except exc.TimeoutError as error:
                raise exception.Unavailable('The database has no free connection', code='database_busy') from error
            except (exc.SQLAlchemyError, *faults.UNWRAPPED) as error:
                if last:
                    raise exception.Unavailable('The database does not answer', code='database_unavailable') from error
        raise AssertionError('unreachable')

    def probe(self) -> health.Probe:
        """Return what watches the store."""
        return health.Probe('database', self.round_trip, failing=health.DOWN, slow_above=1.0,
                            public='The database does not answer',
                            reason='a query that does nothing took {value:.1f} s')

    @contextmanager
    def unhurried(self) -> Iterator[Database]:
        """Give the same store for changes of its schema: a statement may take as long as it takes, and nothing is sent
        again, since it may have been done in part.
        """
        if self.kind == 'sqlite':
            yield self
            return
        made = Database(self.url, _Unhurried(self._options))
        try:
            yield made
        finally:
            made.dispose()

    def dispose(self) -> None:
        """Close all connections: before a fork, and at the end."""
        self.engine.dispose()
        self._reader.dispose()

    def _once(self, function: Callable[[Connection], T]) -> T:
        lead: Lead | None = getattr(self._leads, 'current', None)
        commits = False
        try:
            with self._writing(), self.engine.begin() as connection:
                connection.info.pop(_LATER, None)
                if self.kind == 'sqlite':
                    connection.exec_driver_sql('BEGIN IMMEDIATE')
                if lead is not None and not lead.done:
                    lead.function(connection)
                result = function(connection)
                later = connection.info.pop(_LATER, ())
                commits = True
        except exc.DBAPIError as error:
            if commits and faults.kind_of(error) == faults.LOST:
                raise faults.unsure(error) from error
            raise
        if lead is not None:
            lead.done = True
        for act in later:
            act()
        return result

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self._writer is None:
            yield
            return
        if not self._writer.acquire(timeout=self._options.retry_time):
            raise faults.busy('Another transaction of this process holds the database for too long')
        try:
            yield
        finally:
            self._writer.release()

    def _retried(self, kind: str, attempt: Callable[[], T]) -> T:
        with metrics.Timer('compute_database_seconds', self.name, kind):
            return self._attempts(attempt)

    def _attempts(self, attempt: Callable[[], T]) -> T:
        finds_out = self._breaker.admit()
        begin = time.monotonic()
        for number in range(self._retries + 1):
            try:
                result = attempt()
                self._breaker.succeeded()
                return result
            except (exc.InterfaceError, exc.DatabaseError, *faults.UNWRAPPED) as error:
                self._judge(faults.wrapped(error), number, time.monotonic() - begin)
                LOG.debug('transaction tried again (%d): %s', number + 1, error)
                time.sleep(min(1.0, 0.01 * 2 ** number) * random.uniform(0.5, 1.5))
            except OverflowError as error:  # SQLite's driver: beyond 64 bits
                raise faults.unfit() from error
            except exc.TimeoutError as error:
                raise faults.busy('The database has no free connection') from error
            except Exception:  # the function's own, perhaps before it asked the database anything
                if finds_out:
                    self._find_out()
                raise
        raise AssertionError('unreachable')

    def _find_out(self) -> None:
        """End the refusals of the breaker if the database answers."""
        try:
            self.round_trip()
        except exception.Unavailable:
            return
        self._breaker.succeeded()

    def _judge(self, error: exc.DBAPIError, number: int, seconds: float) -> None:
        """Return if the transaction is to be tried again.

        :raises Invalid: a value cannot be stored. :raises Unavailable: it failed too often, for too long, or for a
            reason that stays.
        """
        kind = faults.kind_of(error)
        if isinstance(error, exc.IntegrityError) or kind != faults.LOST:
            self._breaker.succeeded()
        if isinstance(error, exc.IntegrityError):
            raise error
        if kind == faults.UNFIT:
            LOG.warning('the database refused a value: %s', error.orig)
            raise faults.unfit() from error
        if kind == faults.OTHER:
            raise error
        if kind == faults.READ_ONLY and self.kind != 'sqlite':
            self.engine.dispose()  # after a failover these connections lead to the old primary
        stays = kind in (faults.READ_ONLY, faults.FULL) and number > 0
        if stays or number == self._retries or seconds > self._options.retry_time:
            if kind == faults.LOST:
                self._breaker.failed(seconds)
            raise faults.unavailable(error) from error
        metrics.count('compute_database_retries_total', self.name, kind)


class _Unhurried:
    """The options of a store, but for its patience."""

    def __init__(self, options: Any) -> None:
        self._options = options
        self.query_timeout, self.max_retries, self.lock_timeout = None, 0, None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._options, name)


def _connections() -> Iterator[metrics.Sample]:
    for database in list(_databases):
        for kind, engine in {'write': database.engine, 'read': database._reader}.items():
            pool: Any = engine.pool
            if database._reader is database.engine and kind == 'read':
                continue
            out, size = pool.checkedout(), pool.size()
            for state, number in (('in_use', out), ('idle', pool.checkedin()), ('overflow', max(0, out - size)),
                                  ('size', size)):
                yield 'compute_database_connections', number, (database.name, kind, state)


metrics.source('connections', _connections)


def _writer_of(path: str) -> threading.RLock:  # type: ignore[valid-type]
    """Return the lock of a file, the same for every daemon of this process."""
    with _writers_guard:
        return _writers.setdefault(path, threading.RLock())


def _engine(url: sa.URL, options: Any, isolation: str = 'READ COMMITTED') -> sa.Engine:
    kind = url.get_backend_name()
    if kind == 'sqlite':
        engine = sa.create_engine(url, connect_args={'timeout': 5, 'check_same_thread': False},
                                  poolclass=sa.pool.QueuePool, pool_size=options.max_pool_size,
                                  max_overflow=options.max_overflow, json_deserializer=orjson.loads,
                                  hide_parameters=True)
        event.listen(engine, 'do_connect', lambda *connection: _make_private(url.database))
        event.listen(engine, 'connect', _prepare_sqlite)
        return engine
    idle = options.idle_transaction_timeout
    waits = options.lock_timeout or _UNHURRIED
    arguments: dict[str, Any] = {'timeout': options.query_timeout, 'startup_params': {
        'idle_in_transaction_session_timeout': f'{idle}s', 'lock_timeout': f'{waits}s'}}
    if kind == 'mysql':
        arguments = {'connect_timeout': min(10, options.query_timeout or 10), 'read_timeout': options.query_timeout,
                     'write_timeout': options.query_timeout, 'charset': 'utf8mb4',
                     'init_command': f'SET SESSION lock_wait_timeout={waits}, innodb_lock_wait_timeout={waits} '
                                     f'/*M! , idle_transaction_timeout={idle} */'}  # MySQL reads a comment
    engine = sa.create_engine(
        url, pool_size=options.max_pool_size, max_overflow=options.max_overflow, pool_timeout=options.pool_timeout,
        pool_recycle=3600, isolation_level=isolation, connect_args=arguments, json_deserializer=orjson.loads,
        hide_parameters=True,  # passwords and user data are among them, and errors reach the logs
        # Not pinged before use and not rolled back after it: a connection that is lost is found by the statement, which
        # is tried again, and every transaction ends in a commit or a rollback of its own; reads need neither.
        pool_reset_on_return=None, skip_autocommit_rollback=True)
    event.listen(engine, 'handle_error', _name_loss)
    if kind == 'postgresql':
        event.listen(engine, 'handle_error', _name_violation)
    if url.get_driver_name() == 'pymysql':
        from compute.db import mariadb
        event.listen(engine, 'do_connect', mariadb.connect)
    return engine


def _name_loss(context: Any) -> None:
    """Make what the socket says an error of a lost connection, which the pool drops; pg8000 lets some through.

    Kept, the connection would have the answer to one statement where that to the next is looked for, and a commit
    without an answer would be taken for one that was never sent.

    :raises exc.OperationalError: instead of the error at hand.
    """
    if isinstance(context.original_exception, OSError):
        context.is_disconnect = True
        raise faults.wrapped(context.original_exception) from context.original_exception


def _name_violation(context: Any) -> None:
    """Make every broken constraint an IntegrityError, as elsewhere; pg8000 does so for unique ones only.

    :raises exc.IntegrityError: instead of the error at hand.
    """
    found = context.sqlalchemy_exception
    details = context.original_exception.args[:1]
    code = str(details[0].get('C', '')) if details and isinstance(details[0], dict) else ''
    if code.startswith('23') and found is not None and not isinstance(found, exc.IntegrityError):
        raise exc.IntegrityError(found.statement, found.params, found.orig,
                                 hide_parameters=True) from context.original_exception


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
