"""Pages of a list: ``limit`` and ``marker`` in, a ``next`` link out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from compute.exception import Invalid
from compute.rest.call import Call

LIMIT = {'type': 'string', 'pattern': '^[0-9]*$', 'maxLength': 10}
MARKER = {'type': 'string', 'maxLength': 255}
MOST_KEYS = 10


@dataclass(frozen=True)
class Page:
    """What to fetch: at most ``limit`` rows after ``marker``, in the order of ``sort`` ((key, 'asc' or 'desc')
    pairs)."""

    limit: int
    marker: str | None = None
    sort: tuple[tuple[str, str], ...] = ()


def page_of(call: Call, max_limit: int, *, default_sort: tuple[tuple[str, str], ...] = (),
            sort_keys: frozenset[str] | None = None, default_dir: str = 'desc') -> Page:
    """Read the page that a request asks for. A key that is repeated counts once.

    :raises Invalid: a key that cannot be sorted by, or too many.
    """
    text = call.query.get('limit')
    limit = min(int(text), max_limit) if text else max_limit
    return Page(limit, call.query.get('marker') or None, _sort_of(call, default_sort, sort_keys, default_dir))


def _sort_of(call: Call, default: tuple[tuple[str, str], ...],
             allowed: frozenset[str] | None, default_dir: str) -> tuple[tuple[str, str], ...]:
    keys = _listed(call.query.get('sort_key'))
    directions = _listed(call.query.get('sort_dir'))
    if not keys:
        if directions and default:
            return tuple((key, directions[0]) for key, _ in default)
        return default
    pairs: dict[str, str] = {}
    for number, key in enumerate(keys):
        direction = directions[min(number, len(directions) - 1)] if directions else default_dir
        if direction not in ('asc', 'desc'):
            raise Invalid(f'sort_dir is {direction!r}; it takes asc or desc')
        if allowed is not None and key not in allowed:
            raise Invalid(f'sort_key {key!r} is not one to sort by; known are {", ".join(sorted(allowed))}')
        pairs.setdefault(key, direction)
    demand_few_keys(pairs)
    return tuple(pairs.items())


def demand_few_keys(keys: Collection[str]) -> None:
    """Return if a list may be sorted by so many keys: its pages compare all of them. :raises Invalid:"""
    if len(keys) > MOST_KEYS:
        raise Invalid(f'There are {len(keys)} sort keys; a list takes {MOST_KEYS} at most')


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


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
