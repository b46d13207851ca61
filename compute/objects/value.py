"""How a value becomes JSON and comes back.

Values are frozen dataclasses. ``encode`` gives plain JSON types; ``decode`` rebuilds a value from them by its type
hints. Keys that a type does not know are ignored and missing ones take their defaults, so that peers one version apart
understand each other as long as fields are only added, with defaults.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import functools
import types
import typing
from typing import Any, TypeVar

T = TypeVar('T')

_PLAIN = (str, int, float, bool, type(None))


def encode(value: Any) -> Any:
    """Return ``value`` as plain JSON types; times become ISO 8601 strings in UTC."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, _PLAIN):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in _names(type(value))}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [encode(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    raise TypeError(f'{type(value).__name__} cannot travel: {value!r}')


def decode(hint: Any, data: Any) -> Any:
    """Rebuild what ``encode`` made, by the type ``hint``.

    :raises TypeError: when a required field is missing.
    """
    if hint is Any or data is None:
        return data
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(hint, data)
    if origin is not None:
        return _decode_container(origin, typing.get_args(hint), data)
    if isinstance(hint, type):
        if dataclasses.is_dataclass(hint):
            return _decode_dataclass(hint, data)
        if issubclass(hint, datetime.datetime):
            return data if isinstance(data, datetime.datetime) else datetime.datetime.fromisoformat(data)
        if issubclass(hint, enum.Enum):
            return hint(data)
    return data


def _decode_union(hint: Any, data: Any) -> Any:
    members = [arg for arg in typing.get_args(hint) if arg is not type(None)]
    return decode(members[0], data) if len(members) == 1 else data


def _decode_container(origin: Any, args: tuple[Any, ...], data: Any) -> Any:
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(decode(args[0], item) for item in data)
        return tuple(decode(hint, item) for hint, item in zip(args, data, strict=True))
    if origin in (list, set, frozenset):
        return origin(decode(args[0], item) for item in data)
    if origin is dict:
        return {key: decode(args[1], item) for key, item in data.items()}
    return data


def _decode_dataclass(hint: Any, data: Any) -> Any:
    if isinstance(data, hint):
        return data
    hints = _hints(hint)
    return hint(**{name: decode(hints[name], data[name]) for name in _names(hint) if name in data})


@functools.cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def now() -> datetime.datetime:
    """Return the time in UTC, without a zone: what SQL and the APIs store and show."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
