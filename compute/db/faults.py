"""Classify the faults of a database: which attempts may be retried, and the error for the caller.

MariaDB has numbers, PostgreSQL has SQLSTATEs, SQLite has names; texts are looked at where a driver gives nothing else.
"""

from __future__ import annotations

import logging
import threading
import time

from sqlalchemy import exc

from compute import exception

LOG = logging.getLogger(__name__)
OTHER, UNFIT, RACE, LOCKED, LOST, READ_ONLY, FULL = (
    'other', 'unfit', 'deadlock', 'busy', 'connection', 'read_only', 'full')
_LOCKED = ('lock wait timeout', 'database is locked', 'database table is locked', 'due to lock timeout')
_RACE = ('deadlock', 'could not serialize access', 'try restarting transaction', 'record has changed since last read',
         # InnoDB undoes the whole transaction in a deadlock; leaving a savepoint of it says this instead.
         'savepoint sa_savepoint')
_LOST = ('lost connection', 'gone away', "can't connect", 'connection refused', 'connection reset', 'broken pipe',
         'network error', 'communication error', 'server closed the connection', 'shutting down', 'starting up',
         'shutdown', 'too many connections', 'interfaceerror', 'packet sequence', 'create a connection',
         'unable to open database file', 'disk i/o error')
_FULL = ('no space left on device', 'errcode: 28', 'got error 28', 'database or disk is full')
_READ_ONLY = ('attempt to write a readonly database',)
_NUMBERS = {1290: READ_ONLY, 1792: READ_ONLY, 1836: READ_ONLY, 1021: FULL, 1114: FULL, 1205: LOCKED, 1213: RACE,
            1040: LOST, 1053: LOST, 1203: LOST}
_STATES = {'25006': READ_ONLY, '53100': FULL, '55P03': LOCKED, '40001': RACE, '40P01': RACE, '53000': LOST,
           '53200': LOST, '53300': LOST, '57P01': LOST, '57P02': LOST, '57P03': LOST}
UNWRAPPED = (TimeoutError, ConnectionError)
"""Exceptions that pg8000 does not wrap when it connects to a server that does not respond."""
_TOLD = {
    READ_ONLY: ('The database takes no changes now', 'database_read_only',
                'see whether the database server is a replica, or was one before a failover'),
    FULL: ('The database has no space left', 'database_full', 'free space where the database server keeps its data'),
    LOCKED: ('The database is locked by another transaction', 'database_locked',
             'look for a transaction that does not end'),
}


def kind_of(error: exc.DBAPIError) -> str:
    """Return the kind of a fault, one of the constants above; also the label of metrics."""
    if error.connection_invalidated:
        return LOST
    number, state = _codes(error)
    if number in _NUMBERS or state in _STATES:
        return _NUMBERS.get(number) or _STATES[state]
    if isinstance(error, exc.DataError) or state.startswith('22'):
        return UNFIT  # a value is of no use for its column: too large, too long, no such time
    text = str(error.orig).lower()
    for kind, phrases in ((FULL, _FULL), (READ_ONLY, _READ_ONLY), (LOCKED, _LOCKED), (RACE, _RACE), (LOST, _LOST)):
        if any(words in text for words in phrases):
            return kind
    return OTHER


def wrapped(error: Exception) -> exc.DBAPIError:
    """Return an error as SQLAlchemy gives it."""
    if isinstance(error, exc.DBAPIError):
        return error
    return exc.OperationalError('', {}, error, hide_parameters=True, connection_invalidated=True)


def _codes(error: exc.DBAPIError) -> tuple[int, str]:
    """Return MariaDB's number and PostgreSQL's SQLSTATE, as far as there are any."""
    first = (getattr(error.orig, 'args', None) or (None,))[0]
    if isinstance(first, dict):
        return 0, str(first.get('C', ''))
    return (first, '') if isinstance(first, int) else (0, '')


def unfit() -> exception.Invalid:
    """Return the error of a value that no column can hold."""
    return exception.Invalid('A value of the request is too large or too long to be stored or looked for',
                             code='value_out_of_range')


def unsure(error: exc.DBAPIError) -> exception.Unavailable:
    """Return the error of a commit without an answer."""
    LOG.error('the connection to the database was lost at a commit: %s', error.orig)
    return exception.Unavailable('The connection to the database was lost at the commit: the change may '
                                 'have been done, or not', code='database_unsure',
                                 hint='see whether it was done before you ask again')


def unavailable(error: exc.DBAPIError) -> exception.Unavailable:
    """Return the error of a database that cannot be used now; the same request may succeed later."""
    LOG.error('the database cannot be used: %s', error.orig)
    message, code, hint = _TOLD.get(kind_of(error), (
        'The database does not answer', 'database_unavailable',
        'see whether the database server runs and has free connections'))
    return exception.Unavailable(message, code=code, hint=hint)


def busy(what: str) -> exception.Unavailable:
    """Return the error of a wait inside this process that took too long."""
    return exception.Unavailable(what, code='database_busy')


class Breaker:
    """Refuses at once while a database hangs, so that requests which wait for it do not take every slot.

    After a wait of ``_HUNG`` seconds that ended in vain, one attempt in ``_EVERY`` seconds is let through; the first
    that the database answers, be it with an error, ends this.
    """

    _HUNG, _EVERY = 5.0, 5.0

    def __init__(self) -> None:
        self._next: float | None = None  # when the next attempt may be made; None while all is well
        self._lock = threading.Lock()

    def admit(self) -> bool:
        """Return if an attempt may be made, and whether it is to find out. :raises Unavailable: the database hangs."""
        if self._next is None:
            return False
        with self._lock:
            if self._next is None:  # another one found out meanwhile
                return False
            if time.monotonic() < self._next:
                raise exception.Unavailable('The database does not answer', code='database_unavailable',
                                            hint='see whether the database server runs')
            self._next = time.monotonic() + self._EVERY
            return True

    def succeeded(self) -> None:
        """Note that the database answers."""
        if self._next is not None:
            with self._lock:
                self._next = None

    def failed(self, seconds: float) -> None:
        """Note that an attempt ended in vain after some seconds."""
        if seconds >= self._HUNG:
            self._next = time.monotonic() + self._EVERY
