"""Checks values against schemas where ``jsonschema`` is too generous for what is done with them afterwards.

``$`` in a pattern is the end of the text and nothing else: Python lets a line feed stand behind it, which then reaches
files and commands. A text that is longer than its schema's ``maxLength`` is not matched at all: it is refused anyhow,
and some patterns take a time that grows with a power of the length. An integer is written as one: 1.0 and 1e30 are
floats for Python and for databases.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
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


def _is_integer(checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


STRICT: Any = jsonschema.validators.extend(
    jsonschema.Draft202012Validator, {'pattern': _pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine('integer', _is_integer))
"""The validator's class."""
