"""The lock of a host's worker: a file that its process keeps locked for as long as it lives.

A process that is paused or hangs may go on at any moment; one that is dead cannot. From outside both are silent. The
kernel knows the difference: it frees the lock when the process ends, however that comes about. Programs that the worker
runs do not inherit it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading


class HostLock:
    """The lock of one host in the folder ``[worker] state_path``. One process may hold those of many hosts."""

    def __init__(self, state_path: str, host: str) -> None:
        self.path = os.path.join(state_path, f'lock-{host}')
        self._guard = threading.Lock()
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock, unless another holds it; return whether it is held here. Never waits.

        :raises OSError: the folder cannot be written, or its file system has no locks.
        """
        with self._guard:
            if self._descriptor is None:
                self._descriptor = self._open()
            return self._descriptor is not None

    def release(self) -> None:
        """Free the lock. A process that ends need not do this."""
        with self._guard:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def holder(self) -> str:
        """Return the number of the process that took the lock last; empty when that cannot be read."""
        with contextlib.suppress(OSError), open(self.path, encoding='ascii', errors='replace') as file:
            return file.read(20).strip()
        return ''

    def _open(self) -> int | None:
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)  # Python closes it in programs that it runs
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return None
            raise
        with contextlib.suppress(OSError):  # a full disk costs the number, not the lock
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f'{os.getpid()}\n'.encode())
        return descriptor
