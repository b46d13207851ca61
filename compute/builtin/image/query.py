"""From the query of a list to what is wanted: filters, order, limit. Unknown keys filter by additional properties."""

from __future__ import annotations

import datetime
from typing import Any

from compute.builtin.image.db.listing import SORT_KEYS, Sort, Wanted, moment
from compute.builtin.image.fields import is_reserved
from compute.builtin.image.record import MEMBER_STATUSES, VISIBILITIES
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Query

LIST = Query(fields(extra=True), repeats=('tag', 'sort_key', 'sort_dir'))
_CONTROL = frozenset(('limit', 'marker', 'sort', 'sort_key', 'sort_dir', 'visibility', 'member_status', 'tag'))
_TEXT = ('id', 'name', 'owner', 'status', 'disk_format', 'container_format', 'checksum', 'os_hash_algo',
         'os_hash_value')
_SEVERAL = frozenset(('id', 'name', 'status', 'disk_format', 'container_format'))
_NUMBERS = ('min_disk', 'min_ram', 'size', 'virtual_size')
_BOOLEANS = ('protected', 'os_hidden')
_TIMES = ('created_at', 'updated_at')
_LIMITS = {'size_min': ('size', 'gte'), 'size_max': ('size', 'lte')}
_OPERATORS = frozenset(('gt', 'gte', 'lt', 'lte', 'eq', 'neq'))
_TRUE, _FALSE = frozenset(('true', '1', 'yes', 'on')), frozenset(('false', '0', 'no', 'off'))
_MAX = 2 ** 63 - 1


def wanted(call: Call) -> Wanted:
    """Return what the list is about. :raises Invalid: a filter has a value that it cannot have."""
    query = call.query
    equal: dict[str, list[Any]] = {'os_hidden': [False]}
    ranges: list[tuple[str, str, Any]] = []
    properties: dict[str, str] = {}
    for name, text in query.items():
        if name in _CONTROL:
            continue
        if name in _TEXT:
            equal[name] = _values(name, text)
        elif name in _NUMBERS:
            equal[name] = [_number(name, text)]
        elif name in _BOOLEANS:
            equal[name] = [_boolean(name, text)]
        elif name in _TIMES:
            ranges.extend(_time(name, text))
        elif name in _LIMITS:
            ranges.append((*_LIMITS[name], _number(name, text)))
        else:
            properties[name] = text
    if any(map(is_reserved, properties)):
        equal['id'] = []  # no image shows a property of that name, so none is found by one
    return Wanted(viewer=None if call.may('image_sees_all') else call.context.project_id or '',
                  visibility=_choice(query, 'visibility', (*VISIBILITIES, 'all')),
                  member_status=_choice(query, 'member_status', (*MEMBER_STATUSES, 'all')) or 'accepted',
                  equal=equal, ranges=tuple(ranges), tags=tuple(query.get('tag', ())), properties=properties)


def order(call: Call) -> Sort:
    """Return the sort keys: ``sort=name:asc,size`` or ``sort_key``/``sort_dir``; newest first by default.

    :raises Invalid: an unknown key or direction, both forms at once, or directions that match no keys.
    """
    keys, directions = call.query.get('sort_key', []), call.query.get('sort_dir', [])
    if (text := call.query.get('sort')) is not None:
        if keys or directions:
            raise Invalid('sort cannot be combined with sort_key or sort_dir', code='bad_sort')
        pairs = [(key.strip(), way.strip() or 'desc') for key, _, way in
                 (part.partition(':') for part in text.split(','))]
    elif len(directions) > 1 and len(directions) != len(keys):
        raise Invalid(f'{len(keys)} sort_key and {len(directions)} sort_dir are given: there must be as many, or one '
                      f'sort_dir', code='bad_sort')
    else:
        ways = directions * len(keys) if len(directions) == 1 else directions or ['desc'] * len(keys)
        pairs = list(zip(keys, ways, strict=True)) if keys else [('created_at', (directions or ['desc'])[0])]
    for key, way in pairs:
        if key not in SORT_KEYS:
            raise Invalid(f'{key!r} is no key to sort by; there are {", ".join(sorted(SORT_KEYS))}', code='bad_sort')
        if way not in ('asc', 'desc'):
            raise Invalid(f'the direction to sort {key!r} is {way!r}; it must be asc or desc', code='bad_sort')
    return tuple(dict(pairs).items())


def limit(call: Call, default: int, most: int) -> int:
    """Return how many images the page may have. :raises Invalid:"""
    text = call.query.get('limit')
    return default if text is None else min(_number('limit', text), most)


def _choice(query: dict[str, Any], name: str, allowed: tuple[str, ...]) -> str | None:
    value = query.get(name)
    if value is not None and value not in allowed:
        raise Invalid(f'{name} is {value!r}; it must be one of {", ".join(allowed)}', code='bad_filter')
    return value


def _values(name: str, text: str) -> list[str]:
    if name not in _SEVERAL or not text.startswith('in:'):
        return [text]
    # A value with a comma stands in quotes.
    values, rest = [], text[3:]
    while rest:
        if rest.startswith('"') and (end := rest.find('"', 1)) > 0:
            value, rest = rest[1:end], rest[end + 1:].lstrip(',')
        else:
            value, _, rest = rest.partition(',')
        values.append(value)
    if len(values) > 1000:
        raise Invalid(f'{name} has {len(values)} values; the limit is 1000', code='bad_filter')
    return values


def _number(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:20]) > _MAX or len(text) > 19:
        raise Invalid(f'{name} is {text!r}; it must be a whole number of 0 or more', code='bad_filter')
    return int(text)


def _boolean(name: str, text: str) -> bool:
    value = text.lower()
    if value not in _TRUE | _FALSE:
        raise Invalid(f'{name} is {text!r}; it must be true or false', code='bad_filter')
    return value in _TRUE


def _time(name: str, text: str) -> list[tuple[str, str, Any]]:
    """Return conditions on a time. It means the whole second that clients are shown, rows are finer."""
    operator, _, rest = text.partition(':')
    if operator not in _OPERATORS:
        operator, rest = 'eq', text
    try:
        begin = moment(rest).replace(microsecond=0)
        end = begin + datetime.timedelta(seconds=1)
    except (ValueError, OverflowError):
        raise Invalid(f'{name} is {text!r}; it must be an ISO 8601 time, perhaps after one of '
                      f'{", ".join(sorted(_OPERATORS))} and a colon', code='bad_filter') from None
    conditions: dict[str, list[tuple[str, Any]]] = {
        'gt': [('gte', end)], 'gte': [('gte', begin)], 'lt': [('lt', begin)], 'lte': [('lt', end)],
        'eq': [('gte', begin), ('lt', end)], 'neq': [('outside', (begin, end))]}
    return [(name, *condition) for condition in conditions[operator]]
