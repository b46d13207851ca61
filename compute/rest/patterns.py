"""Checks values against schemas where ``jsonschema`` is too generous for what is done with them afterwards.

``$`` in a pattern is the end of the text and nothing else: Python lets a line feed stand behind it, which then reaches
files and commands. A text that is longer than its schema's ``maxLength`` is not matched at all: it is refused anyhow,
and some patterns take a time that grows with a power of the length. The items of a list with more than ``maxItems`` are
not looked at, nor those behind the first bad one; whether they are unique is told in one pass over them. An integer is
written as one: 1.0 and 1e30 are floats for Python and for databases.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Hashable, Iterator
from typing import Any

import jsonschema

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


STRICT: Any = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {'pattern': _pattern, 'items': _items, 'uniqueItems': _unique},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine('integer', _is_integer))
"""The validator's class."""
