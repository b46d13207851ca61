"""Opens the metadata socket inside a namespace, from the agent's own process.

Between the two ``setns`` nothing may yield or fail unseen: a thread left in the wrong namespace would do all later
work there. It runs in a real thread, since a green one shares its thread with everything else.
"""

from __future__ import annotations

import os
import socket

from compute import concurrency
from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux.setns import enter

METADATA_PORT = 80


def listen_in(path: str) -> socket.socket:
    """Return a socket that listens at the metadata address in the namespace at ``path``."""
    return concurrency.offload(_listen_in, path)


def _listen_in(path: str) -> socket.socket:
    home = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(there)
        finally:
            os.close(there)
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        finally:
            try:
                enter(home)
            except OSError:
                os.abort()
    finally:
        os.close(home)
    return _bound(sock)


def _bound(sock: socket.socket) -> socket.socket:
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((names.METADATA_ADDRESS, METADATA_PORT))
        sock.listen(128)
    except OSError:
        sock.close()
        raise
    return sock

