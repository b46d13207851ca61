"""Paths whose parts may hold a slash: ``/networks/{id}/tags/{tag}`` with ``a%2Fb`` is one part, not two.

Servers hand over PATH_INFO decoded, where an encoded slash looks like one between two parts (eventlet), or like the
text ``%2F`` (cheroot). The path as it was sent is beside it, under a name of each server's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

_SENT = ('RAW_PATH_INFO', 'REQUEST_URI')


def matchable(environ: Mapping[str, Any], path: str) -> str:
    """Return a path to match with templates: slashes and percent signs inside its parts stay encoded.

    ``path`` is PATH_INFO. It decides where the path as sent is not known, or is not of the same URL.
    """
    sent = next((environ[name] for name in _SENT if environ.get(name)), '')
    if '%2f' not in sent.lower() and '%25' not in sent:
        return path.replace('%', '%25')
    parts = [_decoded(part) for part in sent.partition('?')[0].split('/')]
    for plain_path in (path, unquote(path)):
        found = _last(parts, len(plain_path))
        if found and plain_path == '/' + '/'.join(found):
            return '/' + '/'.join(part.replace('%', '%25').replace('/', '%2F') for part in found)
    return path.replace('%', '%25')


def plain(parts: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a matched path as they were meant."""
    return {name: unquote(part) for name, part in parts.items()}


def _last(parts: list[str], length: int) -> list[str]:
    """Return the last parts that have this length with a slash before each; none where there are no such parts.

    Whoever compared the path with each end of the other one would take seconds for one of 16 kB.
    """
    for start in range(len(parts) - 1, 0, -1):
        length -= len(parts[start]) + 1
        if length <= 0:
            return parts[start:] if not length else []
    return []


def _decoded(part: str) -> str:
    return unquote_to_bytes(part.encode('latin-1', errors='replace')).decode(errors='replace')
