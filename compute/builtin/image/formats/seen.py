"""What is kept of a stream while it passes: its beginning, its last sector, and regions that a format asks for."""

from __future__ import annotations

from dataclasses import dataclass

HEAD = 512 * 1024
TAIL = 512
REGION_LIMIT = 1024 * 1024


class Seen:
    """``head`` is the first 512 KiB, ``tail`` the last 512 bytes so far, ``length`` how much passed."""

    def __init__(self) -> None:
        self.head = b''
        self.tail = b''
        self.length = 0
        self._regions: dict[tuple[int, int], bytearray] = {}

    def add(self, chunk: bytes) -> None:
        """Take note of the next bytes."""
        if len(self.head) < HEAD:
            self.head += chunk[:HEAD - len(self.head)]
        for (offset, size), region in self._regions.items():
            begin = max(offset + len(region) - self.length, 0)
            if len(region) < size and begin < len(chunk):
                region += chunk[begin:begin + size - len(region)]
        self.tail = chunk[-TAIL:] if len(chunk) >= TAIL else (self.tail + chunk)[-TAIL:]
        self.length += len(chunk)

    def want(self, offset: int, size: int) -> None:
        """Keep a region that lies ahead, at most 1 MiB of it; what passed already cannot be kept."""
        if offset >= self.length:
            self._regions[(offset, min(size, REGION_LIMIT))] = bytearray()

    def at(self, offset: int, size: int) -> bytes:
        """Return bytes of the head or of a kept region; fewer, or none, if they were not kept."""
        if offset + size <= len(self.head):
            return self.head[offset:offset + size]
        for (start, _), region in self._regions.items():
            if start <= offset < start + len(region):
                return bytes(region[offset - start:offset - start + size])
        return self.head[offset:offset + size]


@dataclass(frozen=True)
class Finding:
    """``virtual_size`` in bytes, None if it cannot be told; ``problem`` why the data must not be used, or None."""

    virtual_size: int | None = None
    problem: str | None = None
