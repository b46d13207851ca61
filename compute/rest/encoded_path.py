"""Paths whose parts may hold a slash: ``/networks/{id}/tags/{tag}`` with ``a%2Fb`` is one part, not two.

Servers hand over PATH_INFO decoded, where an encoded slash looks like one between two parts (eventlet), or like the
text ``%2F`` (cheroot). The path as it was sent is beside it, under a name of each server's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, unquote_to_bytes, urlsplit

_SENT = ('RAW_PATH_INFO', 'REQUEST_URI')


def matchable(environ: Mapping[str, Any], path: str) -> str:
    """Return a path to match with templates: slashes and percent signs inside its parts stay encoded.

    ``path`` is PATH_INFO. It decides where the path as sent is not known, or is not of the same URL.
    """
    sent = next((environ[name] for name in _SENT if environ.get(name)), '')
    if '%2f' not in sent.lower() and '%25' not in sent:
        return path.replace('%', '%25')
    parts = [_decoded(part) for part in urlsplit(sent).path.split('/')]
    for start in range(1, len(parts)):
        whole = '/' + '/'.join(parts[start:])
        if whole in (path, unquote(path)):
            return '/' + '/'.join(part.replace('%', '%25').replace('/', '%2F') for part in parts[start:])
    return path.replace('%', '%25')


def plain(parts: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of a matched path as they were meant."""
    return {name: unquote(part) for name, part in parts.items()}


def _decoded(part: str) -> str:
    return unquote_to_bytes(part.encode('latin-1', errors='replace')).decode(errors='replace')
