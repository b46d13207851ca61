"""What a handler may return besides plain JSON types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Reply:
    """An answer with headers or a status of its own. ``body`` None sends none; bytes are sent as they are."""

    body: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = 'application/json'


@dataclass
class Stream:
    """An answer of any size: chunks of bytes, sent as they come. ``length`` in bytes, None if unknown."""

    chunks: Iterator[bytes]
    length: int | None = None
    content_type: str = 'application/octet-stream'
    headers: Mapping[str, str] = field(default_factory=dict)
    status: int = 200
