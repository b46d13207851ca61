"""The destination of a transfer: fetches the files of an offer, over as many connections as it takes."""

from __future__ import annotations

import dataclasses
import hmac
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from compute import concurrency, exception, metrics
from compute.objects.transfer import Offer
from compute.worker.transfer import certificate
from compute.worker.transfer.extents import BLOCK
from compute.worker.transfer.framing import (
    DATA,
    END,
    FAILED,
    VERSION,
    Ended,
    FramedSocket,
    Malformed,
    check_name,
    json_object,
)
from compute.worker.transfer.incoming import Incoming, disk_errors, disk_full
from compute.worker.transfer.throttle import Throttle

LOG = logging.getLogger(__name__)
_CONNECT = 5.0
_SILENCE = 30.0
"""Seconds after which a connection on which nothing comes is given up for another."""
_FIRST_PAUSE, _LONGEST_PAUSE, _SLICE = 0.2, 5.0, 0.5


def fetch(offer: Offer, folder: Path, *, progress: Callable[[int, int], object], check: Callable[[], object],
          patience: float, address: str | None = None, throttle: Throttle | None = None,
          names: Collection[str] | None = None, session: str | None = None) -> dict[str, Path]:
    """Fetch the files of an offer into a folder, and return their paths by name. Holes stay holes.

    They belong to the user of this process, with mode 0600, and are on disk when this returns. After an error nothing
    of them is left. An offer can be fetched once: after an error the source has to make another, unless the next call
    has the same session.

    :param progress: called with the bytes of data that have come and those that are to come in all.
    :param check: called every few seconds at least, and after each MiB; what it raises ends the transfer.
    :param patience: seconds for which broken connections are made anew while no data comes.
    :param address: of this host, to connect from: one of the ``peers`` for which the offer was made.
    :param throttle: a limit of this host, beside that of the source.
    :param names: of the files to fetch; all by default. :param session: the nonce of ``new_session``, for a transfer
        that goes on after this process was started again.
    :raises Unavailable: ``transfer_interrupted``: no data came for ``patience`` seconds.
    :raises Failed: ``transfer_refused``: the source does not accept the token, another answers in its place, or a name
        is not permitted. ``transfer_corrupt``: the data is not what was offered. ``disk_create``: it cannot be written.
    :raises Retry: ``disk_full``
    """
    chosen = tuple(each for each in offer.files if names is None or each.name in names)
    return _Fetch(dataclasses.replace(offer, files=chosen), folder, progress, check, patience, address, throttle,
                  session or new_session()).run()


def new_session() -> str:
    """Return a nonce that tells this client of an offer from all others."""
    return secrets.token_urlsafe(32)


class _Fetch:
    def __init__(self, offer: Offer, folder: Path, progress: Callable[[int, int], object], check: Callable[[], object],
                 patience: float, address: str | None, throttle: Throttle | None, session: str) -> None:
        self._offer, self._folder, self._patience, self._throttle = offer, folder, patience, throttle
        self._from = (address, 0) if address else None
        self._progress, self._check = progress, check
        self._session = session
        self._context = certificate.client_context()
        self._files = [Incoming(each, folder) for each in offer.files]
        self._total = sum(each.data_bytes for each in offer.files)
        self._moved, self._pause = time.monotonic(), _FIRST_PAUSE

    def run(self) -> dict[str, Path]:
        self._check_names()
        self._check()
        self._check_room()
        complete = False
        try:
            self._report()
            self._fetch()
            complete = True
        finally:
            if not complete:
                for file in self._files:
                    file.discard()
        return {file.offered.name: file.path for file in self._files}

    def _check_names(self) -> None:
        names = [each.name for each in self._offer.files]
        for name in names:
            check_name(name)
        if len(set(names)) < len(names):
            raise exception.Failed(f'a file is offered twice: {", ".join(names)}', code='transfer_refused')

    def _check_room(self) -> None:
        with disk_errors(self._folder):
            space = os.statvfs(self._folder)
        free = space.f_bavail * space.f_frsize
        if self._total > free:
            raise disk_full(f'{self._folder} has {free} bytes free, {self._total} are needed')

    def _report(self) -> None:
        self._progress(min(sum(file.received for file in self._files), self._total), self._total)

    # -- connections --

    def _fetch(self) -> None:
        while True:
            try:
                with self._connected() as wire:
                    for file in self._files:
                        if not file.complete:
                            self._receive(wire, file)
                    self._place()
                    self._end(wire)
                    return
            except OSError as error:
                LOG.info('transfer from %s: the connection broke: %s', self._offer.address, error)
                self._wait(error)

    @contextmanager
    def _connected(self) -> Iterator[FramedSocket]:
        """Connect and present the token. :raises Failed: ``transfer_refused`` :raises OSError: the connection broke."""
        self._check()
        with ExitStack() as stack:
            raw = stack.enter_context(socket.create_connection((self._offer.address, self._offer.port), _CONNECT,
                                                               self._from))
            tls = stack.enter_context(self._context.wrap_socket(
                raw, do_handshake_on_connect=False, suppress_ragged_eofs=False))
            wire = FramedSocket(tls, min(_SILENCE, max(self._patience, 1.0)), self._check)
            wire.handshake()
            if not hmac.compare_digest(certificate.fingerprint(wire.certificate()), self._offer.fingerprint):
                raise self._refused('another certificate than that of the offer is shown there')
            wire.send_message({'version': VERSION, 'token': self._offer.token, 'session': self._session})
            try:
                wire.receive_message()
            except Ended as error:
                raise self._refused('the source does not accept the token') from error
            yield wire

    def _refused(self, why: str) -> exception.Failed:
        return exception.Failed(f'the transfer from {self._offer.address} port {self._offer.port} is refused: {why}',
                                code='transfer_refused')

    def _wait(self, error: Exception) -> None:
        """Pause before the next connection. :raises Unavailable: no data came for too long."""
        until = self._moved + self._patience
        if time.monotonic() >= until:
            raise exception.Unavailable(
                f'the transfer from {self._offer.address} port {self._offer.port} was interrupted, and could not be '
                f'resumed for {self._patience:.0f} s: {error}', code='transfer_interrupted') from error
        self._sleep(min(self._pause, max(0.0, until - time.monotonic())))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._check()
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _SLICE))
            self._check()

    # -- data --

    def _receive(self, wire: FramedSocket, file: Incoming) -> None:
        """Fetch a file, or what is missing of it."""
        wire.send_message({'file': file.offered.name, 'from': file.resume()})
        while not file.complete:
            self._check()
            kind, offset, payload = wire.receive_frame(BLOCK)
            if kind == DATA:
                self._take(file, offset, payload)
            elif kind == END:
                file.finish(json_object(payload).get('sha256'))
                self._moved = time.monotonic()
            elif kind == FAILED:
                raise file.corrupt(f'the source says: {json_object(payload).get("reason")}')
            else:
                raise Malformed(f'a frame of the unknown kind {kind}')

    def _take(self, file: Incoming, offset: int, payload: bytearray) -> None:
        if self._throttle is not None:
            self._throttle.take(len(payload), self._sleep)
        metrics.count('compute_transfer_bytes_total', 'received', by=len(payload))
        if file.write(offset, payload):
            self._moved, self._pause = time.monotonic(), _FIRST_PAUSE
            self._report()

    def _place(self) -> None:
        for file in self._files:
            file.place()
        with disk_errors(self._folder):
            concurrency.offload(_sync_folder, self._folder)

    def _end(self, wire: FramedSocket) -> None:
        """End the session at the source. If that fails, the offer is open until it is withdrawn or expires."""
        try:
            wire.send_message({'done': True})
            wire.receive_message()
        except OSError as error:
            LOG.info('transfer from %s: complete, but its offer could not be closed: %s', self._offer.address, error)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
