"""Keeps tests away from a stack that runs on this machine: the README's own, on the default ports."""

from __future__ import annotations

import socket
from typing import Any

DEFAULT_PORTS = frozenset((5000, 8774, 9292, 9696, 8775, 8776))


def forbid_default_ports() -> None:
    """Let each connection of this process to a default port of ours fail, loudly.

    An OSError would pass for a daemon that is down, which is just what must not be mistaken.
    """
    plain: Any = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> Any:
        if isinstance(address, tuple) and address[1] in DEFAULT_PORTS:
            raise AssertionError(f'a test asks {address[0]}:{address[1]}, where a stack of somebody may listen')
        return plain(self, address)
    socket.socket.connect = connect  # type: ignore[method-assign, assignment]
