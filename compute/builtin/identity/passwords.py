"""Hashes of passwords and secrets: bcrypt over SHA-256, because bcrypt alone reads no more than 72 bytes."""

from __future__ import annotations

import base64
import hashlib

import bcrypt

from compute.concurrency import offload


class Passwords:
    """Hashes and checks, off the thread hub. ``rounds`` is bcrypt's cost."""

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._nobody: bytes | None = None

    def hash(self, password: str) -> str:
        """Return a salted hash. Takes a good part of a second; never call it inside a transaction."""
        return offload(bcrypt.hashpw, _digest(password), bcrypt.gensalt(self._rounds)).decode()

    def fits(self, password: str, hashed: str | None) -> bool:
        """Tell whether the password is the one of the hash. Without a hash the answer is no, after the same work."""
        if hashed is None:
            offload(bcrypt.checkpw, _digest(password), self._decoy())
            return False
        return offload(bcrypt.checkpw, _digest(password), hashed.encode())

    def _decoy(self) -> bytes:
        if self._nobody is None:
            self._nobody = offload(bcrypt.hashpw, b'nobody', bcrypt.gensalt(self._rounds))
        return self._nobody


def _digest(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())
