"""Messages and frames on a TLS connection (see the package), and the names that files may have."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from compute import exception

T = TypeVar('T')
VERSION = 1
DATA, END, FAILED = 1, 2, 3
PART = '.part'
"""Ends the name of a file that is not complete yet."""

_TICK = 1.0
_MESSAGE = 4096
_PIECE = 256 * 1024
_GOODBYE = 2.0
_FRAME = struct.Struct('>BQI')
_LENGTH = struct.Struct('>I')
_FILE_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9._-]{0,127}')


class Ended(ConnectionError):
    """The peer ended the connection in good order, between two messages."""


class Malformed(ConnectionError):
    """The peer sent what the protocol does not know: the connection is of no use any more."""


def check_name(name: str) -> None:
    """Return if a file may be called so: in one folder, not hidden, not mistaken for an incomplete one.

    :raises Failed: ``transfer_refused``
    """
    if not _FILE_NAME.fullmatch(name) or name.endswith(PART):
        raise exception.Failed(f'{name!r} is not a name of a file that can be transferred', code='transfer_refused')


def json_object(data: bytes | bytearray) -> dict[str, Any]:
    """Return the JSON object that the peer sent. :raises Malformed: it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Malformed('it is not JSON') from error
    if not isinstance(found, dict):
        raise Malformed('it is no JSON object')
    return found


class FramedSocket:
    """A TLS connection. Whatever waits gives up after ``silence`` seconds in which nothing passed.

    :param idle: called at least once a second while it waits; what it raises ends the wait.
    """

    def __init__(self, tls: ssl.SSLSocket, silence: float, idle: Callable[[], object] = bool) -> None:
        self._tls, self.silence, self._idle = tls, silence, idle
        self._idled = time.monotonic()
        tls.settimeout(_TICK)
        tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # each request waits for its answer

    def handshake(self) -> None:
        """:raises OSError: the peer does not speak TLS 1.3, or the connection is broken."""
        self._patiently(self._tls.do_handshake)

    def certificate(self) -> bytes:
        """Return the peer's certificate in DER."""
        return self._tls.getpeercert(binary_form=True) or b''

    def send_message(self, message: dict[str, Any]) -> None:
        """Send a JSON object. :raises OSError: the connection is broken."""
        data = json.dumps(message).encode()
        self._send(memoryview(_LENGTH.pack(len(data)) + data))

    def receive_message(self) -> dict[str, Any]:
        """Return a JSON object. :raises Ended: the peer sends no more. :raises OSError: the connection is broken."""
        (length,) = _LENGTH.unpack(self._receive(_LENGTH.size, may_end=True))
        if length > _MESSAGE:
            raise Malformed(f'a message of {length} bytes, at most {_MESSAGE} are allowed')
        return json_object(self._receive(length))

    def send_frame(self, kind: int, offset: int, payload: bytes,
                   pace: Callable[[int], object] = lambda count: None) -> None:
        """Send a frame. ``pace`` is called with the length of each piece of the payload before it is sent.

        :raises OSError: the connection is broken.
        """
        self._send(memoryview(_FRAME.pack(kind, offset, len(payload))))
        for begin in range(0, len(payload), _PIECE):
            piece = memoryview(payload)[begin:begin + _PIECE]
            pace(len(piece))
            self._send(piece)

    def receive_frame(self, most: int) -> tuple[int, int, bytearray]:
        """Return kind, offset and payload of a frame, of ``most`` bytes at most. :raises OSError: it is broken."""
        kind, offset, length = _FRAME.unpack(self._receive(_FRAME.size, may_end=True))
        if length > most:
            raise Malformed(f'a frame of {length} bytes, at most {most} are allowed')
        return kind, offset, self._receive(length)

    def end(self) -> None:
        """End the connection in good order: the peer's next read raises ``Ended``."""
        self._tls.settimeout(_GOODBYE)
        with suppress(OSError):
            self._tls.unwrap()

    def _send(self, data: memoryview) -> None:
        while data:
            data = data[self._patiently(lambda rest=data: self._tls.send(rest)):]  # type: ignore[misc]

    def _receive(self, count: int, *, may_end: bool = False) -> bytearray:
        data, filled = bytearray(count), 0
        with memoryview(data) as view:
            while filled < count:
                rest = view[filled:]
                received = self._patiently(lambda rest=rest: self._tls.recv_into(rest))  # type: ignore[misc]
                if not received:
                    raise Ended('the peer ended the connection') if may_end and not filled else ConnectionError(
                        'the peer ended the connection within a message')
                filled += received
        return data

    def _patiently(self, function: Callable[[], T]) -> T:
        """Call a function of the socket again each time its timeout is over."""
        until = time.monotonic() + self.silence
        while True:
            if time.monotonic() - self._idled >= _TICK:
                self._idled = time.monotonic()
                self._idle()
            try:
                return function()
            except TimeoutError:
                if time.monotonic() >= until:
                    raise
