"""The key repository: a folder with the keys that sign tokens.

``primary.pem`` signs. ``staged.pem`` is the next one: its public half is published before it signs, so that no checker
is surprised. ``<kid>.pub`` are earlier keys, of which only the public half is kept, until every token signed by them
has expired. Rotation renames; a crash between two steps leaves a repository that works.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from compute.exception import Unavailable
from compute.rest.tokens import ALGORITHM

LOG = logging.getLogger(__name__)
_PRIMARY, _STAGED = 'primary.pem', 'staged.pem'


@dataclass(frozen=True)
class _Keys:
    kid: str
    signer: Ed25519PrivateKey
    public: tuple[dict[str, str], ...]


class KeyRepository:
    """The folder at ``path``. Keys are read again when the folder changes, so rotation needs no restart.

    :param keep: seconds for which an earlier key still checks tokens; at least the life of a token.
    """

    def __init__(self, path: str, keep: int) -> None:
        self._folder, self._keep = Path(path), keep
        self._lock = threading.Lock()
        self._stamp: Any = None
        self._loaded: _Keys | None = None

    def ensure(self) -> None:
        """Make the folder and the keys if they are missing, and close the folder to others."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.stat().st_mode & 0o077:
            LOG.warning('the key repository %s was open to others; it is closed now', self._folder)
            self._folder.chmod(0o700)
        with locked(self._folder):
            for name in (_PRIMARY, _STAGED):
                if not (self._folder / name).exists():
                    write_private(self._folder / name, _private_pem(Ed25519PrivateKey.generate()))

    def rotate(self) -> str:
        """Let the staged key sign from now on, stage a new one, drop what nothing needs; return the signer's id."""
        self.ensure()
        with locked(self._folder):
            old = _read_private(self._folder / _PRIMARY).public_key()
            write_private(self._folder / f'{key_id(old)}.pub', _public_pem(old))
            os.replace(self._folder / _STAGED, self._folder / _PRIMARY)
            write_private(self._folder / _STAGED, _private_pem(Ed25519PrivateKey.generate()))
            for path in self._folder.glob('*.pub'):
                if path.stat().st_mtime < time.time() - self._keep:
                    path.unlink()
        return self._keys().kid

    def sign(self, payload: dict[str, Any]) -> str:
        """Return the signed token. :raises Unavailable: the repository cannot be read."""
        keys = self._keys()
        return jwt.encode(payload, keys.signer, algorithm=ALGORITHM, headers={'kid': keys.kid})

    def public(self) -> list[dict[str, str]]:
        """Return the public keys in force as JWKs."""
        return list(self._keys().public)

    def _keys(self) -> _Keys:
        try:
            stamp = self._folder.stat().st_mtime_ns
            if self._loaded is None or stamp != self._stamp:
                with self._lock:
                    self._loaded, self._stamp = self._load(), stamp
            return self._loaded
        except (OSError, ValueError) as error:
            LOG.error('the key repository %s cannot be read: %s', self._folder, error)
            raise Unavailable('The keys that sign tokens cannot be read', code='no_signing_keys') from error

    def _load(self) -> _Keys:
        signer = _read_private(self._folder / _PRIMARY)
        public = {key_id(signer.public_key()): signer.public_key()}
        staged = self._folder / _STAGED
        if staged.exists():
            key = _read_private(staged).public_key()
            public[key_id(key)] = key
        for path in sorted(self._folder.glob('*.pub')):
            key = serialization.load_pem_public_key(path.read_bytes())  # type: ignore[assignment]
            public[key_id(key)] = key
        return _Keys(key_id(signer.public_key()), signer, tuple(_jwk(kid, key) for kid, key in public.items()))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a key repository against other processes."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def key_id(key: Ed25519PublicKey) -> str:
    """Return the id of a key: it follows from the key, so two repositories cannot give one id to two keys."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:12]


def _jwk(kid: str, key: Ed25519PublicKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b'=').decode()
    return {'kty': 'OKP', 'crv': 'Ed25519', 'alg': ALGORITHM, 'use': 'sig', 'kid': kid, 'x': x}


def write_private(path: Path, content: bytes) -> None:
    """Replace a file by one that only its owner may read: the owner of the folder, if root writes it.

    A crash leaves the old or the new content.
    """
    partial = path.with_suffix('.new')
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, 'wb') as file:
        if os.geteuid() == 0:
            folder = path.parent.stat()
            os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def _private_pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _read_private(path: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f'{path} holds no Ed25519 key')
    return key
