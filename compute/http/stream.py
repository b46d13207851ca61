"""Bodies and answers of any size, while they come or go: bounded memory, and a least rate."""

from __future__ import annotations

import io
import logging
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
    """Measures the rate over windows of waiting time: what the application does meanwhile does not count."""

    def __init__(self, rules: Rules) -> None:
        self._window, self._least = rules.grace, rules.stream_rate * rules.grace
        self._waited, self._moved = 0.0, 0

    def patience(self) -> float:
        """Return for how many seconds at most the next bytes may be waited for."""
        return max(0.01, self._window - self._waited)

    def count(self, moved: int, waited: float) -> None:
        """Note that bytes moved after some seconds of waiting. :raises TooSlow: a window is over with too few."""
        self._moved += moved
        self._waited += waited
        if self._waited < self._window:
            return
        if self._moved < self._least:
            raise TooSlow(f'{self._moved} bytes moved in {self._waited:.0f} s of waiting')
        self._waited, self._moved = 0.0, 0


class StreamedBody(io.RawIOBase):
    """The body of a streamed request, as ``wsgi.input``; ``buffer`` has what has come already."""

    def __init__(self, sock: Any, buffer: bytearray, decoder: Decoder, rules: Rules, greeting: bytes,
                 who: str) -> None:
        super().__init__()
        self._socket, self._buffer, self._decoder, self._who = sock, buffer, decoder, who
        self._pace, self._greeting = Pace(rules), greeting
        self._ready = memoryview(b'')
        self.size = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, target: Any) -> int:
        """Wait for some bytes. :raises Invalid: the body broke off, is malformed, or comes too slowly."""
        try:
            while not self._ready and not self._decoder.done:
                if not self._buffer:
                    self._receive()
                self._ready = memoryview(self._decoder.decode(self._buffer))
        except Malformed as error:
            raise self._broken(f'The body is malformed: {error}', 'malformed_body') from None
        count = min(len(self._ready), len(target))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        self.size += count
        return count

    def _receive(self) -> None:
        if self._greeting:
            send(self._socket, self._greeting, self._pace)
            self._greeting = b''
        begin = time.monotonic()
        self._socket.settimeout(self._pace.patience())
        data = b''
        try:
            data = self._socket.recv(_PIECE)
            self._pace.count(len(data), time.monotonic() - begin)
        except (TooSlow, TimeoutError):
            raise self._broken(f'The body comes too slowly: {self.size} bytes have come', 'body_too_slow',
                               408) from None
        except OSError:
            data = b''
        if not data:
            raise self._broken(f'The body broke off: {self.size} bytes have come', 'body_broken_off')
        self._buffer += data

    def _broken(self, message: str, code: str, status: int = 400) -> Invalid:
        LOG.info('%s: %s', self._who, message)
        return Invalid(message, code=code, status=status)


def send(sock: Any, data: bytes, pace: Pace) -> None:
    """Send all of ``data``. :raises OSError: the other end is gone, or takes too little."""
    view = memoryview(data)
    while view:
        begin = time.monotonic()
        sock.settimeout(pace.patience())
        try:
            sent = sock.send(view[:_PIECE])
        except TimeoutError:
            raise TooSlow('nothing is taken') from None
        pace.count(sent, time.monotonic() - begin)
        view = view[sent:]


def discard(sock: Any, until: float, now: Callable[[], float] = time.monotonic) -> None:
    """Read and drop until the other end closes or a moment has come.

    A connection that is closed with unread data is reset, and the client may never see its answer.
    """
    try:
        while (left := until - now()) > 0:
            sock.settimeout(left)
            if not sock.recv(_PIECE):
                return
    except OSError:
        return
