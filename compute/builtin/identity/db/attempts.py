"""Counts guesses at a secret before they are checked, for each pair of subject (user, credential) and source address.

A guess reserves a place, is checked, and then gives the place back as right or wrong. Reserved places and wrong guesses
together never exceed the limit, because one conditional UPDATE reserves: however many arrive at once, and at however
many daemons. A right guess forgives the wrong ones that were counted before it began, and none of those that run beside
it. A pair is forgotten ``duration`` seconds after its last reservation, which is also when a lock ends.
"""

from __future__ import annotations

import ipaddress
import time
from dataclasses import dataclass
from enum import Enum

import sqlalchemy as sa

from compute.builtin.identity.db.tables import attempts

_C = attempts.c
_WRONG = _C.failed - _C.forgiven


@dataclass(frozen=True)
class Reservation:
    """A reserved place. ``failed`` is the count of wrong guesses when it was reserved."""

    subject: str
    address: str
    failed: int


class Denied(Enum):
    """Why no place was reserved."""

    UNKNOWN = 'unknown'
    LOCKED = 'locked'
    BUSY = 'busy'


def network_of(address: str) -> str:
    """Return the key for counting guesses: an IPv4 address, the /64 of an IPv6 address, or the text if it is neither.

    Of a list, as proxies send it, the last is taken: what the proxy next to us saw. The others are the client's word.
    """
    last = address.rpartition(',')[2].strip().strip('"')
    last = last[1:].partition(']')[0] if last.startswith('[') else last
    last = last.partition(':')[0] if last.count(':') == 1 else last
    try:
        parsed = ipaddress.ip_address(last.partition('%')[0])
    except ValueError:
        return last[:64]
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))


def ensure(connection: sa.Connection, subject: str, address: str) -> None:
    """Make the row of a pair if there is none. Two that do so at once do not disturb each other."""
    if connection.execute(sa.select(_C.subject).where(*_pair(subject, address))).first() is not None:
        return
    try:
        with connection.begin_nested():
            connection.execute(attempts.insert().values(subject=subject, address=address, pending=0, failed=0,
                                                        forgiven=0, ends_at=0))
    except sa.exc.IntegrityError:
        pass  # the other one made it


def reserve(connection: sa.Connection, subject: str, address: str, limit: int,
            duration: int) -> Reservation | Denied:
    """Reserve a place for one guess, or say why not.

    :return: ``UNKNOWN``: there is no row, see ``ensure``; ``LOCKED``: ``limit`` guesses were wrong; ``BUSY``: so many
        are being checked that these, if wrong, would reach the limit.
    """
    now = int(time.time())
    connection.execute(attempts.update().where(*_pair(subject, address), _C.ends_at <= now).values(
        pending=0, forgiven=_C.failed, ends_at=now + duration))
    free = connection.execute(attempts.update().where(
        *_pair(subject, address), _C.pending + _WRONG < limit).values(
        pending=_C.pending + 1, ends_at=now + duration)).rowcount
    row = connection.execute(sa.select(_C.failed, _C.forgiven).where(*_pair(subject, address))).first()
    if row is None:
        return Denied.UNKNOWN
    if free:
        return Reservation(subject, address, row.failed)
    return Denied.LOCKED if row.failed - row.forgiven >= limit else Denied.BUSY


def right(connection: sa.Connection, place: Reservation) -> None:
    """Give a place back after a right guess: wrong ones that were counted before it began are forgiven."""
    forgiven = sa.case((_C.forgiven < place.failed, place.failed), else_=_C.forgiven)
    connection.execute(attempts.update().where(*_pair(place.subject, place.address)).values(
        pending=_given_back(), forgiven=forgiven))


def wrong(connection: sa.Connection, place: Reservation, limit: int) -> bool:
    """Give a place back after a wrong guess; return True if this one reached the limit."""
    connection.execute(attempts.update().where(*_pair(place.subject, place.address)).values(
        pending=_given_back(), failed=_C.failed + 1))
    return connection.execute(sa.select(_WRONG).where(*_pair(place.subject, place.address))).scalar() == limit


def forget(connection: sa.Connection, subject: str) -> None:
    """End all locks of a subject."""
    connection.execute(attempts.delete().where(_C.subject == subject))


def prune(connection: sa.Connection) -> int:
    """Delete the pairs that count no longer; return how many."""
    return connection.execute(attempts.delete().where(_C.ends_at <= int(time.time()))).rowcount


def _given_back() -> sa.Case[int]:
    return sa.case((_C.pending > 0, _C.pending - 1), else_=0)


def _pair(subject: str, address: str) -> tuple[sa.ColumnElement[bool], ...]:
    return _C.subject == subject, _C.address == address
