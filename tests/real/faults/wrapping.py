"""Putting a function around another one in a running process."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

_wrapped: list[tuple[Any, str, Any]] = []


def wrap(owner: Any, name: str, wrapper: Callable[..., Any]) -> None:
    """Replace a function by ``wrapper(original, *args, **kwargs)``."""
    original = getattr(owner, name)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return wrapper(original, *args, **kwargs)
    _wrapped.append((owner, name, original))
    setattr(owner, name, wrapped)


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Put back at the end what the block wraps: for a test that wraps functions of its own process."""
    mark = len(_wrapped)
    try:
        yield
    finally:
        while len(_wrapped) > mark:
            owner, name, original = _wrapped.pop()
            setattr(owner, name, original)
