"""Checks a secret, with the count of wrong guesses that locks a user out for one source address.

Counting by user alone would let any stranger keep an administrator out. Counting by user and address leaves an attacker
with many addresses the limit for each (``doc/architecture/identity.rst``).
"""

from __future__ import annotations

import logging
import time

from compute.builtin.identity.app import Identity
from compute.builtin.identity.db import attempts
from compute.builtin.identity.db.attempts import Denied, Reservation
from compute.exception import Unavailable

LOG = logging.getLogger(__name__)
_WAIT = 20.0
"""Seconds that a login waits for others of its user and address. Wrong ones end the wait: they lock the user out."""
_LOOK_EVERY = 0.05


def fits(app: Identity, secret: str, hashed: str | None, subject: str, address: str, *, exempt: bool = False) -> bool:
    """Return whether a secret is right. A pair of subject and address that is locked out gets no, after the same work.

    :param subject: id of the user or application credential that is counted.
    :param exempt: not counted, never locked out.
    :raises Unavailable: too many logins of this pair are being checked, and none of them is wrong.
    """
    limit = app.options.lockout_failure_attempts
    if exempt or not limit:
        return app.passwords.fits(secret, hashed)
    place = _reserved(app, subject, attempts.network_of(address), limit)
    if place is None:
        app.passwords.fits(secret, None)
        return False
    good = False
    try:
        good = app.passwords.fits(secret, hashed)
    finally:
        _give_back(app, place, good, limit)
    return good


def _reserved(app: Identity, subject: str, address: str, limit: int) -> Reservation | None:
    deadline = time.monotonic() + _WAIT
    while True:
        got = app.write(lambda connection: attempts.reserve(connection, subject, address, limit,
                                                            app.options.lockout_duration))
        if isinstance(got, Reservation):
            return got
        if got is Denied.UNKNOWN:
            app.write(lambda connection: attempts.ensure(connection, subject, address))
            continue
        if got is Denied.LOCKED:
            LOG.info('%s is locked out for %s', subject, address)
            return None
        if time.monotonic() > deadline:
            raise Unavailable('Too many logins of this user are being checked; try again', code='too_many_logins')
        time.sleep(_LOOK_EVERY)


def _give_back(app: Identity, place: Reservation, good: bool, limit: int) -> None:
    if good:
        app.write(lambda connection: attempts.right(connection, place))
    elif app.write(lambda connection: attempts.wrong(connection, place, limit)):
        LOG.warning('%s is locked out for %s, for %d s after %d wrong guesses', place.subject, place.address,
                    app.options.lockout_duration, limit)
