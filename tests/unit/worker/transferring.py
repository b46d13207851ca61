"""What tests of transfers share: a source, a destination, a proxy between them, and a client that
speaks the protocol by hand."""

from __future__ import annotations

import dataclasses
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from oslo_config import cfg

from compute import concurrency
from compute import conf as options
from compute.objects.transfer import Offer
from compute.worker.transfer import certificate
from compute.worker.transfer.fetch import fetch
from compute.worker.transfer.framing import VERSION, FramedSocket
from compute.worker.transfer.source import Transfers
from tests.waiting import LONG

MIB = 1024 * 1024
NONCE = 'n' * 32


class Hosts:
    """Two hosts with a folder each. ``progress``: what the last fetch told of."""

    def __init__(self, folder: Path, **overrides: Any) -> None:
        self.conf = options.register(cfg.ConfigOpts())
        for name, value in overrides.items():
            self.conf.set_override(name, value, 'worker')
        self.source, self.destination = folder / 'source', folder / 'destination'
        self.source.mkdir()
        self.destination.mkdir()
        self.transfers = Transfers(self.conf)
        self.progress: list[tuple[int, int]] = []

    def write(self, name: str, size: int, data: dict[int, bytes]) -> Path:
        """Make a file of a size at the source, with data at offsets."""
        path = self.source / name
        with path.open('wb') as file:
            file.truncate(size)
            for offset, piece in data.items():
                file.seek(offset)
                file.write(piece)
        return path

    def disk(self, mebibytes: int, name: str = 'disk') -> Path:
        """Make a file full of data at the source."""
        return self.write(name, mebibytes * MIB, {each * MIB: os.urandom(MIB) for each in range(mebibytes)})

    def offer(self, *paths: Path, key: str = 'server', peers: tuple[str, ...] = ('127.0.0.1',),
              lifetime: float = LONG) -> Offer:
        """Offer files."""
        return self.transfers.offer(key, {path.name: path for path in paths}, peers=peers, lifetime=lifetime)

    def fetch(self, offer: Offer, *, progress: Callable[[int, int], object] | None = None,
              check: Callable[[], object] = bool, patience: float = LONG,
              address: str | None = None, names: tuple[str, ...] | None = None,
              session: str | None = None) -> dict[str, Path]:
        """Fetch what is offered."""
        self.progress = []
        return fetch(offer, self.destination, check=check, patience=patience, address=address, names=names,
                     session=session, progress=progress or (lambda done, total: self.progress.append((done, total))))

    def arrived(self) -> list[str]:
        """Return the names of all files at the destination."""
        return sorted(path.name for path in self.destination.iterdir())


def listens(offer: Offer) -> bool:
    """Return whether somebody accepts at the offer's port."""
    try:
        socket.create_connection((offer.address, offer.port), LONG).close()
    except ConnectionRefusedError:
        return False
    return True


@contextmanager
def connected(offer: Offer, *, at: str = '', context: ssl.SSLContext | None = None) -> Iterator[FramedSocket]:
    """Connect to an offer, from an address of this machine, and shake hands."""
    with ExitStack() as stack:
        raw = stack.enter_context(socket.create_connection((offer.address, offer.port), LONG,
                                                           (at, 0) if at else None))
        tls = stack.enter_context((context or certificate.client_context()).wrap_socket(
            raw, do_handshake_on_connect=False, suppress_ragged_eofs=False))
        wire = FramedSocket(tls, LONG)
        wire.handshake()
        yield wire


def hello(wire: FramedSocket, token: Any, session: Any = NONCE, **more: Any) -> dict[str, Any]:
    """Present a token and return the answer."""
    wire.send_message({'version': VERSION, 'token': token, 'session': session, **more})
    return wire.receive_message()


class Proxy:
    """Stands between the hosts and breaks connections.

    :param limits: for each connection, how many bytes of the source pass before it is broken; later ones are not.
    :param hold: what comes from the source is kept back, for ever.
    """

    def __init__(self, offer: Offer, limits: tuple[int, ...] = (), *, hold: bool = False) -> None:
        self._target, self._limits, self._hold = (offer.address, offer.port), list(limits), hold
        self._listener = socket.create_server(('127.0.0.1', 0))
        self._sockets: list[socket.socket] = []
        self.offer = dataclasses.replace(offer, address='127.0.0.1', port=self._listener.getsockname()[1])
        self.connections, self.passed = 0, 0
        self._threads = [concurrency.spawn(self._accept, name='proxy')]

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            limit = self._limits.pop(0) if self._limits else None
            try:
                server = socket.create_connection(self._target, LONG)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            self._sockets += [client, server]
            self._threads += [concurrency.spawn(self._pump, client, server, None, False, name='proxy'),
                              concurrency.spawn(self._pump, server, client, limit, True, name='proxy')]

    def _pump(self, source: socket.socket, target: socket.socket, limit: int | None, back: bool) -> None:
        left = limit
        try:
            while left is None or left > 0:
                data = source.recv(65536 if left is None else min(left, 65536))
                if not data:
                    break
                if left is not None:
                    left -= len(data)
                if not (back and self._hold):
                    target.sendall(data)
                self.passed += len(data) if back else 0
        except OSError:
            pass
        for each in (source, target):
            _shut(each)

    def close(self) -> None:
        """Break everything."""
        for each in (self._listener, *self._sockets):
            _shut(each)
        for thread in self._threads:
            thread.join(LONG)
        for each in (self._listener, *self._sockets):
            each.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _shut(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
