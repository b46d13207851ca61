"""Shorten values in messages to 50 characters, so that a long one does not hide the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

MOST = 50
_MOST_VALUES = 5000


def short(value: Any) -> str:
    """Return a value as text, cut after 50 characters."""
    text = str(value)
    return text if len(text) <= MOST else f'{text[:MOST]}...'


def shortened(message: str, values: Iterable[Any]) -> str:
    """Cut in ``message`` every quoted value that is too long. ``values`` may be parsed JSON."""
    if len(message) <= MOST:
        return message
    found = {text for text in _texts(list(values)) if len(text) > MOST}
    for text in sorted(found, key=len, reverse=True):
        message = message.replace(text, short(text))
        if (escaped := repr(text)[1:-1]) != text:
            message = message.replace(escaped, short(escaped))
    return message


def _texts(level: list[Any]) -> Iterator[str]:
    """Yield all strings in parsed JSON, keys among them, level by level."""
    seen = 0
    while level and seen < _MOST_VALUES:
        seen += len(level)
        inner: list[Any] = []
        for item in level:
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict):
                inner += [*item, *item.values()]
            elif isinstance(item, list):
                inner += item
            elif isinstance(item, int) and not isinstance(item, bool):
                yield str(item)
        level = inner
