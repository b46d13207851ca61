"""Answers as Keystone's clients expect them: members and lists with their links; and fields that nouns share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from compute.builtin.identity.db.nouns import Noun, Row
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Query
from compute.rest.paging import LIMIT, MARKER

ID = {'type': 'string', 'minLength': 1, 'maxLength': 64}
NAME = {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': r'^[^\x00]*[^\x00\s][^\x00]*$'}
SHORT_NAME = {**NAME, 'maxLength': 64}
"""Of projects, domains and groups."""
TEXT = {'type': ['string', 'null'], 'maxLength': 16000, 'pattern': r'^[^\x00]*$'}
BOOLEAN = {'type': 'boolean'}
FLAG = {'type': 'string', 'enum': ['true', 'false', 'True', 'False', '1', '0', '']}
TAG = {'type': 'string', 'minLength': 1, 'maxLength': 255, 'pattern': r'^[^,/\x00]*$'}
TAGS = {'type': 'array', 'items': TAG, 'maxItems': 80, 'uniqueItems': True}
OPTIONS = fields(immutable={'type': ['boolean', 'null']})
SECRET = {'type': 'string', 'minLength': 1, 'maxLength': 4096}


def listing_query(**filters: Any) -> Query:
    """Return the query of a list: its filters, and pages for those who ask for them."""
    return Query(fields(**filters, limit=LIMIT, marker=MARKER))


def flag(text: str) -> bool:
    """Read a boolean of a query; a key without a value means yes."""
    return text.lower() not in ('false', '0')


def filters_of(call: Call, **names: str) -> dict[str, Any]:
    """Return the filters of a query by column; ``names`` maps keys to columns where they differ."""
    found = {}
    for key, value in call.query.items():
        if key not in ('limit', 'marker'):
            found[names.get(key, key)] = flag(value) if key == 'enabled' else value
    return found


Read = Callable[..., list[Row]]
"""``read(connection, filters, limit=..., marker=...)`` returns rows by id."""


def page(call: Call, noun: Noun, path: str, words: str, filters: Mapping[str, Any],
         shown: Callable[[Call, Row], Row] | None = None, read: Read | None = None) -> dict[str, Any]:
    """Return the list of a noun that a request asks for. ``shown`` makes an item of a row.

    No list is longer than ``[identity] list_limit``; ``truncated`` says that there is more, as Keystone does.
    """
    most = call.app.options.list_limit
    asked = int(call.query['limit']) if call.query.get('limit') else None
    if asked == 0:
        raise Invalid('limit is 0; it takes 1 or more')
    size = min(asked or most, most)
    rows = call.app.read(read or noun.all, filters, limit=size + 1, marker=call.query.get('marker'))
    more, rows = len(rows) > size, rows[:size]
    answer = listing(call, words, path, [shown(call, row) if shown else member(call, path, row) for row in rows])
    if more:
        query = urlencode({**call.query, 'marker': rows[-1]['id']})
        answer['links']['next'] = call.link(f'{path}?{query}')
        if asked is None:
            answer['truncated'] = True
    return answer


def bounded(call: Call, words: str, path: str, rows: list[Any], shown: Callable[[Call, Any], Any]) -> dict[str, Any]:
    """Return a list without pages of rows that were read with a limit of ``most_of(call)``."""
    most = call.app.options.list_limit
    answer = listing(call, words, path, [shown(call, row) for row in rows[:most]])
    return {**answer, 'truncated': True} if len(rows) > most else answer


def most_of(call: Call) -> int:
    """Return the limit to read rows for ``bounded`` with: one more than are shown."""
    return int(call.app.options.list_limit) + 1


def listing(call: Call, words: str, path: str, items: list[Any]) -> dict[str, Any]:
    """Return items under their key, with the links of a list."""
    return {words: items, 'links': {'self': call.link(path), 'previous': None, 'next': None}}


def described(call: Call, path: str, row: Row, **more: Any) -> Row:
    """Return a row of what has a description: an empty one where none was given, as Keystone shows it."""
    return member(call, path, row, description=row['description'] or '', **more)


def member(call: Call, path: str, row: Row, **more: Any) -> Row:
    """Return a row with the link to it."""
    return {**row, **more, 'links': {'self': call.link(f'{path}/{row["id"]}')}}
