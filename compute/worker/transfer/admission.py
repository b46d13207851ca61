"""Who may fetch the files of an offer: the expected host, with the token, and no second client."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import threading
from collections.abc import Iterable

_NONCE = 16
"""Characters that the nonce of a session has at least."""


class Admission:
    """Admits the client that presents the token first. Of the token only the hash is kept.

    :param peers: the IP addresses from which it may connect. :raises ValueError: there is none, or one is malformed.
    """

    def __init__(self, token: str, peers: Iterable[str]) -> None:
        self._peers = frozenset(plain_address(peer) for peer in peers)
        if not self._peers:
            raise ValueError('an offer without the address of its destination')
        self._token, self._session = _hash(token), b''
        self._lock = threading.Lock()

    def expects(self, address: str) -> bool:
        """Return whether a client at this address may connect."""
        return plain_address(address) in self._peers

    def admits(self, token: object, session: object) -> bool:
        """Return whether the token is right and belongs to this session; the first session is bound to it."""
        if not isinstance(token, str) or not isinstance(session, str) or len(session) < _NONCE:
            return False
        if not hmac.compare_digest(_hash(token), self._token):
            return False
        with self._lock:
            self._session = self._session or _hash(session)
            return hmac.compare_digest(_hash(session), self._session)


def plain_address(address: str) -> str:
    """Return an IP address in its usual form, an IPv4 address that came by way of IPv6 as IPv4."""
    found = ipaddress.ip_address(address)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors='surrogatepass')).digest()
