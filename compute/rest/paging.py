"""Pages of a list: ``limit`` and ``marker`` in, a ``next`` link out."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import Field
from compute.rest.versions import Window

LIMIT = {'type': 'string', 'pattern': '^[0-9]+$', 'maxLength': 10}
MARKER = {'type': 'string', 'maxLength': 255}
MOST_KEYS = 10
SORTED = ('sort_key', 'sort_dir')
"""The value of ``Query(repeats=...)`` for a list that can be sorted by several keys."""
_DIRECTION = {'type': 'string', 'enum': ['asc', 'desc']}


@dataclass(frozen=True)
class Page:
    """What to fetch: at most ``limit`` rows after ``marker``, in the order of ``sort`` ((key, 'asc' or 'desc')
    pairs)."""

    limit: int
    marker: str | None = None
    sort: tuple[tuple[str, str], ...] = ()


def sorting(keys: Iterable[str], windows: Mapping[str, Window] | None = None) -> dict[str, Any]:
    """Return the rows of a query table for ``sort_key`` and ``sort_dir``, both of which repeat (``SORTED``).

    ``windows``: the versions of those keys that are not known at all versions.
    """
    spans = {**dict.fromkeys(keys, Window()), **(windows or {})}
    bounds = sorted({bound for span in spans.values() for bound in (span.since, span.until)})
    rows = []
    for since, until in itertools.pairwise(bounds):
        known = sorted(key for key, span in spans.items() if since in span)
        rows.append(Field(_list_of({'type': 'string', 'enum': known}), Window(since, until)))
    return {'sort_key': tuple(rows), 'sort_dir': _list_of(_DIRECTION)}


def _list_of(item: dict[str, Any]) -> dict[str, Any]:
    return {'type': 'array', 'items': item}


def page_of(call: Call, max_limit: int, *, default_sort: tuple[str, str] | None = None) -> Page:
    """Read the page that a request asks for, sorted by ``default_sort`` where it names no key.

    A key that is repeated counts once. A key without a direction of its own takes the first one that is given.

    :raises Invalid: there are too many keys, or more directions than keys.
    """
    text = call.query.get('limit')
    limit = min(int(text), max_limit) if text else max_limit
    return Page(limit, call.query.get('marker') or None, _sort_of(call, default_sort) if default_sort else ())


def _sort_of(call: Call, default: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    keys, directions = call.query.get('sort_key') or [default[0]], call.query.get('sort_dir') or [default[1]]
    if len(directions) > len(keys):
        raise Invalid(f'There are {len(directions)} values of sort_dir for {len(keys)} of sort_key; each direction '
                      'belongs to a key')
    pairs: dict[str, str] = {}
    for key, direction in itertools.zip_longest(keys, directions, fillvalue=directions[0]):
        pairs.setdefault(key, direction)
    demand_few_keys(pairs)
    return tuple(pairs.items())


def demand_few_keys(keys: Collection[str]) -> None:
    """Return if a list may be sorted by so many keys: its pages compare all of them. :raises Invalid:"""
    if len(keys) > MOST_KEYS:
        raise Invalid(f'There are {len(keys)} sort keys; a list takes {MOST_KEYS} at most')


def next_links(call: Call, collection: str, path: str, items: list[Any], page: Page,
               marker: str | None) -> dict[str, Any]:
    """Return ``{'<collection>_links': [...]}`` while the page is full, else nothing."""
    if not items or len(items) < page.limit or marker is None:
        return {}
    return {f'{collection}_links': [{'rel': 'next', 'href': next_url(call, path, marker)}]}


def next_url(call: Call, path: str, marker: str) -> str:
    """Return the URL of the next page: the same query with another marker."""
    query = [(key, value) for key, values in call.query.items() if key != 'marker'
             for value in (values if isinstance(values, list) else [values])]
    return call.link(f'{path}?{urlencode([*query, ("marker", marker)])}')
