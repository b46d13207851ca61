"""The one system call that Python 3.11 lacks here. It moves the calling thread only, never its process."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNET = 0x40000000


def enter(descriptor: int) -> None:
    """Move this thread into an open network namespace.

    :raises OSError: when that is not possible.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f'setns: {os.strerror(number)}')
