"""Bodies and answers of any size, while they come or go: bounded memory, and a least rate."""

from __future__ import annotations

import fcntl
import io
import logging
import sys
import termios
import time
from collections.abc import Callable
from typing import Any

from compute.exception import Invalid
from compute.http.body import Decoder, Malformed
from compute.http.rules import Rules

LOG = logging.getLogger(__name__)
_PIECE = 65536


class TooSlow(OSError):
    """The other end takes or sends less than the least rate."""


class Pace:
    """Measures the rate over windows of waiting time: what the application does meanwhile does not count.

    :param window: seconds.
    :param rate: bytes per second; 0: a window with any progress is good enough.
    :param queued: of a connection that is sent to, the bytes that the system has and the other end has not. It may
        take megabytes at once, and then nothing for minutes, while the other end receives all the time.
    """

    def __init__(self, window: float, rate: int, queued: Callable[[], int] = int) -> None:
        self._window, self._least, self._queued = window, max(1.0, rate * window), queued
        self._waited, self._moved, self._before = 0.0, 0, queued()

    def patience(self) -> float:
        """Return the seconds until the window ends: at most that long the next bytes may be waited for."""
        return max(0.01, self._window - self._waited)

    def count(self, moved: int, waited: float) -> None:
        """Note a wait and the bytes that moved at its end, 0 if the patience ended first.

        :raises TooSlow: a window is over with too few bytes.
        """
        self._moved += moved
        self._waited += waited
        if self._waited < self._window:
            return
        left = self._queued()
        moved = self._moved + self._before - left
        if moved < self._least:
            raise TooSlow(f'{moved} bytes moved in {self._waited:.0f} s of waiting')
        self._waited, self._moved, self._before = 0.0, 0, left


class StreamedBody(io.RawIOBase):
    """The body of a streamed request, as ``wsgi.input``; ``buffer`` has what has come already."""

    def __init__(self, sock: Any, buffer: bytearray, decoder: Decoder, rules: Rules, greeting: bytes,
                 who: str) -> None:
        super().__init__()
        self._socket, self._buffer, self._decoder, self._who = sock, buffer, decoder, who
        self._pace, self._greeting = Pace(rules.grace, rules.stream_rate), greeting
        self._ready = memoryview(b'')
        self.size = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, target: Any) -> int:
        """Wait for some bytes. :raises Invalid: the body broke off, is malformed, or comes too slowly."""
        try:
            while not self._ready and not self._decoder.done:
                self._ready = memoryview(self._decoder.decode(self._buffer))
                if not self._ready and not self._decoder.done:  # a part of a chunk's first line may be left
                    self._receive()
        except Malformed as error:
            raise self._broken(f'The body is malformed: {error}', 'malformed_body') from None
        count = min(len(self._ready), len(target))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self.size += count
        return count

    def answered(self) -> None:
        """Send no interim response any more: it would stand in the middle of the response."""
        self._greeting = b''

    def _receive(self) -> None:
        """Wait for more bytes; none may have come while the client is not too slow."""
        try:
            if self._greeting:
                send(self._socket, self._greeting, self._pace)
                self._greeting = b''
            data = receive(self._socket, self._pace)
        except TooSlow:
            raise self._broken(f'The body comes too slowly: {self.size} bytes have come', 'body_too_slow',
                               408) from None
        except OSError:
            data = b''
        if data == b'':
            raise self._broken(f'The body broke off: {self.size} bytes have come', 'body_broken_off')
        self._buffer += data or b''

    def _broken(self, message: str, code: str, status: int = 400) -> Invalid:
        LOG.info('%s: %s', self._who, message)
        return Invalid(message, code=code, status=status)


def queued(sock: Any) -> int:
    """Return how many bytes were sent to a socket and not yet received by the system at the other end."""
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # it is closed
        return 0


def send(sock: Any, data: bytes, pace: Pace) -> None:
    """Send all of ``data``. :raises OSError: the other end is gone, or takes too little."""
    view = memoryview(data)
    while view:
        begin = time.monotonic()
        sock.settimeout(pace.patience())
        try:
            sent = sock.send(view[:_PIECE])
        except TimeoutError:
            sent = 0
        pace.count(sent, time.monotonic() - begin)
        view = view[sent:]


def receive(sock: Any, pace: Pace) -> bytes | None:
    """Return what came, empty at the end of the connection; None when the patience ended and more may come.

    :raises OSError: the connection is broken, or the other end sends too little.
    """
    begin = time.monotonic()
    sock.settimeout(pace.patience())
    data: bytes | None = None
    try:
        data = sock.recv(_PIECE)
    except TimeoutError:
        data = None
    pace.count(len(data or b''), time.monotonic() - begin)
    return data


def discard(sock: Any, until: float, now: Callable[[], float] = time.monotonic) -> None:
    """Read and drop until the other end closes or a moment has come.

    A connection that is closed with unread data is reset, and the client may never see its answer.
    """
    try:
        while (left := until - now()) > 0:
            sock.settimeout(left)
            if not sock.recv(_PIECE):
                return
            time.sleep(0)  # a green socket switches only where it has to wait
    except OSError:
        return
