"""A wire between a daemon and a port, which can be cut as wires are: silently, with everything on it lost or late.

A process of its own carries the bytes; while it is stopped, connections stay open and nothing passes. What was on its
way arrives when it goes on.
"""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import sys

from tests.ports import free_ports
from tests.real.cluster import ROOT, wait_for
from tests.real.cluster_services import answers


class Link:
    """Both ends are ports of this machine."""

    def __init__(self, target: int) -> None:
        self.port, = free_ports(1)
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'tests.real.faults.link', str(self.port), str(target)], cwd=ROOT)
        wait_for(lambda: answers(self.port), 20, 'the wire')

    def cut(self) -> None:
        """Let nothing pass."""
        self._process.send_signal(signal.SIGSTOP)

    def mend(self) -> None:
        """Let everything pass again."""
        self._process.send_signal(signal.SIGCONT)

    def remove(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


class Carrier:
    """Carries bytes both ways, for any number of connections."""

    def __init__(self, port: int, target: int) -> None:
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._listener = socket.create_server(('127.0.0.1', port), backlog=100)
        self._selector.register(self._listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Go on for ever."""
        while True:
            for key, _ in self._selector.select():
                self._accept() if key.fileobj is self._listener else self._carry(key.fileobj)  # type: ignore[arg-type]

    def _accept(self) -> None:
        ours, _ = self._listener.accept()
        try:
            theirs = socket.create_connection(('127.0.0.1', self._target), 5)
        except OSError:
            ours.close()
            return
        for one, other in ((ours, theirs), (theirs, ours)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _carry(self, source: socket.socket) -> None:
        if source not in self._peers:  # its other end went in this very round
            return
        try:
            data = source.recv(65536)
            if data:
                self._peers[source].sendall(data)
        except OSError:
            data = b''
        if not data:
            for end in (source, self._peers[source]):
                self._selector.unregister(end)
                del self._peers[end]
                end.close()


if __name__ == '__main__':
    Carrier(int(sys.argv[1]), int(sys.argv[2])).run()
