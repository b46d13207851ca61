"""Lets requests whose size is known and small pass by oslo.middleware's limiter, which costs as much as they do."""

from __future__ import annotations

from typing import Any


class SizeLimit:
    """``limiter`` stands before ``app``: it refuses what is too large, and counts what does not tell its size."""

    def __init__(self, app: Any, limiter: Any, largest: int) -> None:
        self._app, self._limiter, self._largest = app, limiter, largest

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        length = environ.get('CONTENT_LENGTH') or '0'
        known = 'HTTP_TRANSFER_ENCODING' not in environ and length.isascii() and length.isdigit()
        small = known and int(length) <= self._largest
        return (self._app if small else self._limiter)(environ, start_response)
