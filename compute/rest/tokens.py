"""Checks built-in tokens where they arrive, without asking the identity daemon.

A token is signed (Ed25519), so its origin and its expiry need nothing but a public key. What a signature cannot tell is
that a token was revoked since: a list of revocations, numbered and bounded by the life of a token, is fetched every few
seconds and looked into at each request. Nothing of a token is ever logged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
from collections import OrderedDict
from typing import Any, Protocol

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from oslo_config import cfg

from compute import traceparent
from compute.concurrency import Periodic
from compute.exception import Unauthorized, Unavailable
from compute.rest.claims import Claims

LOG = logging.getLogger(__name__)
ALGORITHM = 'EdDSA'
MAX_TOKEN = 8192
_CACHED = 4096
_PAUSE = 1.0
"""Seconds between two attempts to fetch what is missing, so that forged tokens and outages cost little."""
_TIMEOUT = (3.0, 10.0)


class Source(Protocol):
    """Where keys and revocations come from. Methods may block and raise Unavailable."""

    def keys(self) -> list[dict[str, str]]:
        """Return the public keys as JWKs."""

    def revocations(self, since: int) -> dict[str, Any]:
        """Return ``{'number', 'newest', 'kids', 'events': [[number, kind, value, expires_at], ...]}``.

        ``events`` are those after ``since``, oldest first; ``number`` is the last of this page and ``newest`` the last
        of all; ``kids`` are the ids of the keys in force.
        """


class HttpSource:
    """The public routes of the identity daemon at ``url`` (ends in ``/v3``)."""

    def __init__(self, url: str, cafile: str = '') -> None:
        self._url = url.rstrip('/')
        self._session = requests.Session()
        self._session.verify = cafile or True

    def keys(self) -> list[dict[str, str]]:
        """Fetch the public keys."""
        found: list[dict[str, str]] = self._get('/auth/signing-keys')['keys']
        return found

    def revocations(self, since: int) -> dict[str, Any]:
        """Fetch the revocations after ``since``."""
        return self._get(f'/auth/revocations?since={since}')

    def _get(self, path: str) -> dict[str, Any]:
        try:
            # It belongs to no request, so nobody shall record it: these would be most of all traces.
            answer = self._session.get(self._url + path, timeout=_TIMEOUT, headers=traceparent.begin(None).headers)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found
        except (requests.RequestException, ValueError) as error:
            raise Unavailable(f'Identity at {self._url} does not answer, so no token can be checked: '
                              f'{type(error).__name__}', code='identity_unavailable') from error


class KeyRing:
    """Public keys by id, fetched when a token names one that is not known."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._keys: dict[str, Ed25519PublicKey] | None = None
        self._tried = 0.0
        self._lock = threading.Lock()

    def __contains__(self, kid: object) -> bool:
        return self._keys is not None and kid in self._keys

    def find(self, kid: str) -> Ed25519PublicKey:
        """Return the key. :raises Unauthorized: there is none of that id. :raises Unavailable: keys cannot be had."""
        if kid not in self:
            with self._lock:
                if kid not in self and time.monotonic() - self._tried > _PAUSE:
                    self._fetch()
        if self._keys is None:
            raise Unavailable('The keys that tokens are checked with could not be fetched yet',
                              code='identity_unavailable')
        if kid not in self._keys:
            raise Unauthorized('The token is signed with an unknown key', code='token_invalid')
        return self._keys[kid]

    def agree(self, kids: list[str]) -> None:
        """Forget keys that are no longer in force, fetch new ones."""
        known = self._keys or {}
        if set(kids) - known.keys():
            with self._lock:
                self._fetch()
        elif known.keys() - set(kids):
            self._keys = {kid: key for kid, key in known.items() if kid in kids}

    def _fetch(self) -> None:
        self._tried = time.monotonic()
        keys = self._source.keys()
        self._keys = {key['kid']: jwt.PyJWK(key, ALGORITHM).key for key in keys}
        self._tried = time.monotonic()


class Revoked:
    """The revocations in force, as the newest number for each (kind, value)."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._number = 0
        self._events: dict[tuple[str, str], tuple[int, int]] = {}

    def sync(self) -> list[str]:
        """Fetch what is new and return the ids of the keys in force. Not to be run twice at once."""
        while True:
            answer = self._source.revocations(self._number)
            if answer['newest'] < self._number:  # another store than before: what we know is about nothing
                self._number, self._events = 0, {}
                continue
            for number, kind, value, expires_at in answer['events']:
                self._events[kind, value] = (number, expires_at)
            self._number = answer['number']
            if self._number >= answer['newest']:
                break
        now = time.time()
        self._events = {key: event for key, event in self._events.items() if event[1] > now}
        kids: list[str] = answer['kids']
        return kids

    def covers(self, claims: Claims) -> bool:
        """Tell whether a token was revoked after it was made."""
        events = self._events
        return bool(events) and any(
            events[subject][0] > claims.revision for subject in claims.subjects if subject in events)


class TokenChecker:
    """Callable: takes a token, returns identity headers (see ``middleware/auth.py``).

    :raises Unauthorized: malformed, forged, expired or revoked.
    :raises Unavailable: keys or revocations have never been fetched. Later outages of the identity daemon are survived.

    Cheap to make: the first token starts the fetching. ``source`` is for the identity daemon itself, which is asked
    before each token (``fresh``), so that its own answers are never behind.
    """

    def __init__(self, conf: cfg.ConfigOpts, source: Source | None = None, *, fresh: bool = False) -> None:
        source = source or HttpSource(conf.auth.url, conf.service_user.cafile)
        self._interval = conf.auth.revocation_interval
        self._fresh = fresh
        self._keys, self._revoked = KeyRing(source), Revoked(source)
        self._cache: OrderedDict[bytes, tuple[str, Claims]] = OrderedDict()
        self._cache_lock, self._sync_lock = threading.Lock(), threading.Lock()
        self._tried = 0.0
        self._problem: Unavailable | None = None
        self._periodic: Periodic | None = None

    def __call__(self, token: str) -> dict[str, str]:
        return self.claims(token).headers

    def claims(self, token: str, *, grace: int = 0) -> Claims:
        """Return what a valid token says; ``grace`` are seconds for which an expired one is still taken."""
        if self._fresh:
            self._sync()
        elif self._periodic is None:
            self._begin()
        claims = self._verified(token)
        if claims.expires_at + grace <= time.time():
            raise Unauthorized('The token has expired', code='token_expired')
        if self._revoked.covers(claims):
            raise Unauthorized('The token has been revoked', code='token_revoked')
        return claims

    def stop(self) -> None:
        """End the background fetching; the next token starts it again."""
        if self._periodic is not None:
            self._periodic.stop()
            self._periodic = None

    def _begin(self) -> None:
        with self._sync_lock:
            if self._periodic is not None:
                return
            if self._problem is not None and time.monotonic() - self._tried < _PAUSE:
                raise self._problem
            try:
                self._keys.agree(self._revoked.sync())
            except Unavailable as error:
                self._problem, self._tried = error, time.monotonic()
                raise
            self._periodic = Periodic(self._sync, self._interval, name='revocations', immediately=False).start()

    def _sync(self) -> None:
        with self._sync_lock:
            self._keys.agree(self._revoked.sync())

    def _verified(self, token: str) -> Claims:
        if len(token) > MAX_TOKEN:
            raise Unauthorized('The token is malformed', code='token_invalid')
        digest = hashlib.sha256(token.encode()).digest()
        with self._cache_lock:
            known = self._cache.get(digest)
            if known is not None:
                self._cache.move_to_end(digest)
        if known is not None and known[0] in self._keys:
            return known[1]
        kid, claims = self._verify(token)
        with self._cache_lock:
            self._cache[digest] = (kid, claims)
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return claims

    def _verify(self, token: str) -> tuple[str, Claims]:
        try:
            kid = str(jwt.get_unverified_header(token).get('kid'))
            key = self._keys.find(kid)
            payload = jwt.PyJWS().decode(token, key, algorithms=[ALGORITHM])
            return kid, Claims.from_wire(json.loads(payload))
        except (jwt.PyJWTError, ValueError, KeyError, TypeError):
            raise Unauthorized('The token is malformed or its signature does not fit', code='token_invalid') from None
