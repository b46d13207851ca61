"""What holds for all tests."""

from __future__ import annotations

from typing import Any


def pytest_make_parametrize_id(config: Any, val: Any, argname: str) -> str | None:
    """Keep colons out of the names of tests: gabbi's pytest plugin takes every name with one for a test of its own."""
    text = val.decode('ascii', 'replace') if isinstance(val, bytes) else val
    return text.replace(':', '-') if isinstance(text, str) and ':' in text else None
