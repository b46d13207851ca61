"""Encrypt credentials (``/v3/credentials``). The keys are in the key repository, never in the database.

``credentials.keys`` has one Fernet key a line. The first one encrypts, all decrypt. Rotation puts a new key in front,
re-encrypts every row and keeps the previous key, for rows that another daemon writes concurrently.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from compute.builtin.identity.keys import locked, write_private
from compute.exception import Unavailable

LOG = logging.getLogger(__name__)
_FILE = 'credentials.keys'
_KEPT = 2


class CredentialKeys:
    """The keys in the folder at ``path``. They are read again when the file changes, so rotation needs no restart."""

    def __init__(self, path: str) -> None:
        self._folder, self._file = Path(path), Path(path) / _FILE
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._loaded: MultiFernet | None = None

    def ensure(self) -> None:
        """Make a key if there is none."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._folder):
            if not self._file.exists():
                write_private(self._file, Fernet.generate_key() + b'\n')

    def add(self) -> None:
        """Put a new key in front, and forget keys that were replaced before the last rotation."""
        self.ensure()
        with locked(self._folder):
            keys = self._file.read_bytes().split()[:_KEPT - 1]
            write_private(self._file, b'\n'.join([Fernet.generate_key(), *keys]) + b'\n')

    def seal(self, row_id: str, text: str) -> str:
        """Encrypt the text of a row. Under another id it cannot be read."""
        return self._keys().encrypt(f'{row_id}\n{text}'.encode()).decode()

    def unseal(self, row_id: str, sealed: str) -> str:
        """Return the text of a row. :raises Unavailable: no key fits, or it was sealed for another row."""
        try:
            sealed_for, _, text = self._keys().decrypt(sealed.encode()).decode().partition('\n')
        except InvalidToken:
            sealed_for, text = '', ''
        if sealed_for != row_id:
            LOG.error('credential %s cannot be decrypted with the keys in %s', row_id, self._file)
            raise Unavailable(f'Credential {row_id} cannot be decrypted', code='no_credential_keys')
        return text

    def _keys(self) -> MultiFernet:
        try:
            found = self._file.stat()
            stamp = (found.st_mtime_ns, found.st_ino)
            if self._loaded is None or stamp != self._stamp:
                with self._lock:
                    self._loaded = MultiFernet([Fernet(key) for key in self._file.read_bytes().split()])
                    self._stamp = stamp
            return self._loaded
        except (OSError, ValueError) as error:
            LOG.error('the keys in %s cannot be read: %s', self._file, error)
            raise Unavailable('The keys of credentials cannot be read', code='no_credential_keys') from error
