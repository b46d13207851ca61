"""Decode the body of a request: of known length, or chunked (RFC 9112, section 7.1)."""

from __future__ import annotations

import re
from typing import Protocol

_SIZE = re.compile(rb'([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?')
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*")
_LONGEST_LINE, _MOST_TRAILERS = 1024, 64
_PLAIN_LINE, _MOST_EXTENSIONS = 18, 16384  # bytes: of a size without extension, and of extensions beyond the content


class Malformed(Exception):
    """The chunks of a body are not of the form that they must have."""


class Decoder(Protocol):
    """Takes a body out of a buffer."""

    done: bool

    def decode(self, buffer: bytearray) -> bytes:
        """Remove the bytes of the body from the buffer and return the decoded content. :raises Malformed:"""


class Length:
    """A body of ``length`` bytes."""

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length

    def decode(self, buffer: bytearray) -> bytes:
        """Return what is there, up to the end of the body."""
        taken = bytes(buffer[:self._left])
        del buffer[:len(taken)]
        self._left -= len(taken)
        self.done = not self._left
        return taken


class Chunked:
    """A body in chunks. Extensions and trailers are read and dropped."""

    def __init__(self) -> None:
        self.done = False
        self._left = 0  # of the chunk that is being read
        self._ends = False  # the CR LF after a chunk comes next
        self._last = False  # trailers come next
        self._trailers = 0
        self._surplus = 0

    def decode(self, buffer: bytearray) -> bytes:
        """Return the content that is there. :raises Malformed:"""
        parts: list[bytes] = []
        while not self.done and self._step(buffer, parts):
            pass
        return b''.join(parts)

    def _step(self, buffer: bytearray, parts: list[bytes]) -> bool:
        """Process the buffer; return False if more bytes are needed."""
        if self._left:
            parts.append(bytes(buffer[:self._left]))
            del buffer[:len(parts[-1])]
            self._left -= len(parts[-1])
            self._ends = not self._left
            return self._ends
        if self._ends:
            if len(buffer) < 2:
                return False
            if buffer[:2] != b'\r\n':
                raise Malformed('a chunk is longer than its size')
            del buffer[:2]
            self._ends = False
            return True
        line = _line(buffer)
        if line is None:
            return False
        if self._last:
            self._trailer(line)
        else:
            self._begin(line)
        return True

    def _begin(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise Malformed('the size of a chunk is not a hexadecimal number')
        self._left = int(found.group(1), 16)
        self._last = not self._left
        # A chunk of one byte may have an extension of a kilobyte: what is read would have no relation to what it is.
        self._surplus = max(0, self._surplus + len(line) - _PLAIN_LINE - self._left)
        if self._surplus > _MOST_EXTENSIONS:
            raise Malformed('the extensions of the chunks are longer than their content')

    def _trailer(self, line: bytes) -> None:
        self._trailers += 1
        if not line:
            self.done = True
        elif self._trailers > _MOST_TRAILERS or not _TRAILER.fullmatch(line):
            raise Malformed('the trailers after the last chunk are invalid or too many')


def _line(buffer: bytearray) -> bytes | None:
    """Remove a line from the buffer and return it without its end; None while it has none."""
    end = buffer.find(b'\r\n', 0, _LONGEST_LINE + 2)
    if end < 0:
        if len(buffer) > _LONGEST_LINE + 1 or b'\n' in buffer:
            raise Malformed('a line between chunks is too long, or does not end with CR LF')
        return None
    line = bytes(buffer[:end])
    del buffer[:end + 2]
    return line
