"""Checks values against schemas where ``jsonschema`` is too generous for what is done with them afterwards.

``$`` in a pattern is the end of the text and nothing else: Python lets a line feed stand behind it, which then reaches
files and commands. A text that is longer than its schema's ``maxLength`` is not matched at all: it is refused anyhow,
and some patterns take a time that grows with a power of the length. The items of a list with more than ``maxItems`` are
not looked at, nor those behind the first bad one; whether they are unique is told in one pass over them. An integer is
written as one: 1.0 and 1e30 are floats for Python and for databases. ``minimum``, ``maximum`` and their exclusive forms
also hold for a number that is written as a string.

Formats beside those of JSON Schema: ``regex`` is a regular expression that is not empty, ``isotime`` is an ISO 8601
time, with or without a zone.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Hashable, Iterator
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import jsonschema
from oslo_utils import timeutils

_NUMBER = re.compile(r'-?[0-9]+(\.[0-9]+)?')
_LONGEST_NUMBER, _LONGEST_REGEX = 100, 255
_PIECES = re.compile(r'\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\$', re.S)


@functools.cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Return a pattern in which ``$`` is the end of the text."""
    return re.compile(_PIECES.sub(lambda piece: r'\Z' if piece.group() == '$' else piece.group(), pattern))


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not isinstance(instance, str) or len(instance) > schema.get('maxLength', len(instance)):
        return
    if compiled(pattern).search(instance) is None:
        yield jsonschema.ValidationError(f'{instance!r} does not match {pattern!r}')


def _items(validator: Any, items: Any, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not validator.is_type(instance, 'array') or _is_too_long(instance, schema):
        return
    for index, item in enumerate(instance):
        errors = list(validator.descend(item, items, path=index))
        yield from errors
        if errors:
            return


def _unique(validator: Any, unique: bool, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
    if not unique or not validator.is_type(instance, 'array') or _is_too_long(instance, schema):
        return
    if len({_same(item) for item in instance}) < len(instance):
        yield jsonschema.ValidationError(f'{instance!r} has non-unique elements')


def _is_too_long(instance: list[Any], schema: Any) -> bool:
    return len(instance) > schema.get('maxItems', len(instance))


def _same(value: Any) -> Hashable:
    """Return what is equal for values that are equal in JSON: there true is not 1, but 1.0 is."""
    if isinstance(value, dict):
        return 'object', frozenset((key, _same(item)) for key, item in value.items())
    if isinstance(value, list):
        return 'array', tuple(_same(item) for item in value)
    return ('boolean', value) if isinstance(value, bool) else value


def _is_integer(checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bound(holds: Callable[[float, float], bool], words: str) -> Any:
    def check(validator: Any, bound: float, instance: Any, schema: Any) -> Iterator[jsonschema.ValidationError]:
        number = _number(instance)
        if number is not None and not holds(number, bound):
            yield jsonschema.ValidationError(f'{instance!r} is {words} {bound!r}')
    return check


def _number(value: Any) -> float | None:
    """Return a number, or the one that a string is; None where it is neither."""
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
            return None
        return float(value) if '.' in value else int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


_FORMATS = jsonschema.FormatChecker(formats=())
_FORMATS.checkers = dict(jsonschema.Draft202012Validator.FORMAT_CHECKER.checkers)


@_FORMATS.checks('regex', raises=(re.error, OverflowError, RecursionError))
def _is_regex(value: object) -> bool:
    if isinstance(value, str) and value:
        _parser.parse(value[:_LONGEST_REGEX])  # a longer one is refused by its schema's ``maxLength``
    return value != ''


@_FORMATS.checks('isotime', raises=(ValueError, OverflowError))
def _is_time(value: object) -> bool:
    if isinstance(value, str):
        timeutils.normalize_time(timeutils.parse_isotime(value))
    return True


STRICT: Any = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {
        'pattern': _pattern, 'items': _items, 'uniqueItems': _unique,
        'minimum': _bound(operator.ge, 'less than the minimum of'),
        'maximum': _bound(operator.le, 'greater than the maximum of'),
        'exclusiveMinimum': _bound(operator.gt, 'less than or equal to the minimum of'),
        'exclusiveMaximum': _bound(operator.lt, 'greater than or equal to the maximum of')},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine('integer', _is_integer), format_checker=_FORMATS)
"""The validator's class."""
