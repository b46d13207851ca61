"""The metadata socket of a network, made inside its namespace by the privileged process and sent to the agent."""

from __future__ import annotations

import socket

from compute.builtin.network.agent import names

METADATA_PORT = 80


def bound() -> socket.socket:
    """Return a socket that listens at the metadata address in this thread's namespace."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((names.METADATA_ADDRESS, METADATA_PORT))
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock
