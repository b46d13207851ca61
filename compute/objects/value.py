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
from collections.abc import Callable
from typing import Any

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
    rebuild = _decoder(hint)
    return data if data is None or rebuild is None else rebuild(data)


Decoder = Callable[[Any], Any]


@functools.cache
def _decoder(hint: Any) -> Decoder | None:
    """Return what rebuilds values of ``hint`` that are not None; None where JSON has them as they are."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        members = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        return _decoder(members[0]) if len(members) == 1 else None
    if origin is not None:
        return _container_decoder(origin, typing.get_args(hint))
    if not isinstance(hint, type):
        return None
    if dataclasses.is_dataclass(hint):
        return functools.partial(_decode_dataclass, hint)
    if issubclass(hint, datetime.datetime):
        return _decode_time
    return hint if issubclass(hint, enum.Enum) else None


def _container_decoder(origin: Any, args: tuple[Any, ...]) -> Decoder | None:
    if origin is tuple and not (len(args) == 2 and args[1] is Ellipsis):
        decoders = [_decoder(arg) for arg in args]
        return lambda data: tuple(_one(each, item) for each, item in zip(decoders, data, strict=True))
    if origin in (tuple, list, set, frozenset):
        inner = _decoder(args[0])
        return origin if inner is None else lambda data: origin([_one(inner, item) for item in data])
    if origin is dict and (inner := _decoder(args[1])) is not None:
        return lambda data: {key: _one(inner, item) for key, item in data.items()}
    return dict if origin is dict else None


def _one(rebuild: Decoder | None, data: Any) -> Any:
    return data if data is None or rebuild is None else rebuild(data)


def _decode_dataclass(hint: Any, data: Any) -> Any:
    if isinstance(data, hint):
        return data
    plan = _plan(hint)
    if not plan.required <= data.keys():
        raise TypeError(f'{hint.__name__} lacks {", ".join(sorted(plan.required - data.keys()))}')
    values = {**plan.defaults, **data} if data.keys() <= plan.names else {
        **plan.defaults, **{name: value for name, value in data.items() if name in plan.names}}
    for name, factory in plan.factories:
        if name not in data:
            values[name] = factory()
    for name, rebuild in plan.rebuilt:
        if (value := data.get(name)) is not None:
            values[name] = rebuild(value)
    made = object.__new__(hint)
    made.__dict__.update(values)  # a frozen dataclass sets each field by a call of its own: several times as slow
    return made


def _decode_time(data: Any) -> datetime.datetime:
    return data if isinstance(data, datetime.datetime) else datetime.datetime.fromisoformat(data)


@dataclasses.dataclass(frozen=True)
class _Plan:
    """How values of a dataclass are rebuilt: worked out once for each class."""

    names: frozenset[str]
    required: frozenset[str]
    defaults: dict[str, Any]
    factories: tuple[tuple[str, Callable[[], Any]], ...]
    rebuilt: tuple[tuple[str, Decoder], ...]


@functools.cache
def _plan(cls: Any) -> _Plan:
    if hasattr(cls, '__post_init__') or hasattr(cls, '__slots__'):
        raise TypeError(f'{cls.__name__} cannot travel: it is more than its fields')
    hints, fields, missing = typing.get_type_hints(cls), dataclasses.fields(cls), dataclasses.MISSING
    defaults = {field.name: field.default for field in fields if field.default is not missing}
    factories = tuple((field.name, field.default_factory) for field in fields if field.default_factory is not missing)
    decoders = ((field.name, _decoder(hints[field.name])) for field in fields)
    return _Plan(names=frozenset(field.name for field in fields), defaults=defaults, factories=factories,
                 required=frozenset(field.name for field in fields) - defaults.keys() - dict(factories).keys(),
                 rebuilt=tuple((name, rebuild) for name, rebuild in decoders if rebuild is not None))


@functools.cache
def _names(cls: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


def now() -> datetime.datetime:
    """Return the time in UTC, without a zone: what SQL and the APIs store and show."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
