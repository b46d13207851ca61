"""Regular expressions that users filter lists by: SQL where it can say the same, Python for the rest.

The usual ones (a part of a name, ``^name$``, ``web.*``) become LIKE, which means the same on every database and lets it
skip rows. The others become automata (``expression.py``), because no text may keep a process busy.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.db.expression import Expression
from compute.exception import Invalid

_ESCAPE = '!'
_SPECIAL = frozenset('.^$*+?{}[]()|\\')


def condition(column: Any, text: str) -> sa.ColumnElement[bool] | None:
    """Return ``column matches text`` (case ignored) in SQL; None where SQL cannot say it."""
    pattern = like(text) if text.isascii() else None
    return None if pattern is None else sa.func.lower(column).like(pattern.lower(), escape=_ESCAPE)


def like(text: str) -> str | None:
    """Return a LIKE pattern that finds what a search for the expression ``text`` finds; None if there is none."""
    start, end = text.startswith('^'), text.endswith('$') and not text.endswith('\\$')
    found, rest = '', text[start:len(text) - end]
    while rest:
        if rest.startswith('.*'):
            piece, rest = '%', rest[2:]
        elif rest[0] == '.':
            piece, rest = '_', rest[1:]
        elif rest[0] == '\\' and len(rest) > 1 and not rest[1].isalnum():
            piece, rest = _literal(rest[1]), rest[2:]
        elif rest[0] in _SPECIAL:
            return None
        else:
            piece, rest = _literal(rest[0]), rest[1:]
        if rest[:1] in ('*', '+', '?', '{'):
            return None
        found += piece
    return ('' if start else '%') + found + ('' if end else '%')


def _literal(char: str) -> str:
    return _ESCAPE + char if char in ('%', '_', _ESCAPE) else char


def compiled(name: str, text: str) -> Expression:
    """Return the expression of filter ``name``, case ignored. :raises Invalid: it is none, or it is too costly."""
    try:
        return Expression(text, ignore_case=True)
    except ValueError as error:
        raise Invalid(f'{name} is no regular expression that can be searched for: {text[:255]!r}: {error}') from None
