"""Field tables: what a body, a query or an answer consists of, with the versions in which each key exists.

A table maps names to JSON Schema fragments, to other tables, or to ``Since``/``Until``/``Between`` around either. It is
compiled once for each version at which it changes: to a validator for what comes in, to the set of keys to drop for
what goes out.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema

from compute.exception import Invalid
from compute.rest.patterns import STRICT
from compute.rest.quoting import short, shortened
from compute.rest.versions import NEWEST, OLDEST, Version, Window, window

_SECRET = ('password', 'adminPass', 'admin_pass', 'secret', 'original_password', 'private_key', 'token',
           'blob')


@dataclass(frozen=True)
class Field:
    """One key in one window of versions."""

    schema: Any
    window: Window = Window()
    required: bool = False


def Since(version: str, schema: Any, *, required: bool = False) -> Field:  # noqa: N802
    """A key that exists from ``version`` on."""
    return Field(schema, window(since=version), required)


def Until(version: str, schema: Any, *, required: bool = False) -> Field:  # noqa: N802
    """A key that exists before ``version``."""
    return Field(schema, window(until=version), required)


def Between(since: str, until: str, schema: Any, *, required: bool = False) -> Field:  # noqa: N802
    """A key that exists from ``since`` to before ``until``."""
    return Field(schema, window(since, until), required)


def Required(schema: Any) -> Field:  # noqa: N802
    """A key that must be there, in every version."""
    return Field(schema, required=True)


def Either(*fields: Field) -> tuple[Field, ...]:  # noqa: N802
    """A key whose schema differs between versions; the windows must not overlap."""
    return fields


@dataclass(frozen=True)
class Drops:
    """Keys that an answer loses at a version, and what the objects or lists of objects under other keys lose."""

    keys: frozenset[str] = frozenset()
    inner: Mapping[str, Drops] = dataclasses.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.keys or self.inner)

    def apply(self, item: dict[str, Any]) -> dict[str, Any]:
        """Return ``item`` without them."""
        if not self.inner:
            keys = self.keys
            return {key: value for key, value in item.items() if key not in keys}
        return {key: self._inside(key, value) for key, value in item.items() if key not in self.keys}

    def _inside(self, key: str, value: Any) -> Any:
        lost = self.inner.get(key)
        if lost is None:
            return value
        if isinstance(value, dict):
            return lost.apply(value)
        return [lost.apply(one) for one in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Fields:
    """A table of keys. ``extra`` allows unknown ones (a ``Window`` allows them in those versions).

    ``rules`` are further JSON Schema keywords of the object (``minProperties``, ``anyOf`` ...); ``null`` allows null.
    """

    table: Mapping[str, Any]
    extra: Any = False
    rules: Mapping[str, Any] | None = None
    null: bool = False

    def rows(self) -> Iterable[tuple[str, Field]]:
        """Yield every key with each of its windows."""
        for name, entry in self.table.items():
            for field in entry if isinstance(entry, tuple) else (entry,):
                yield name, field if isinstance(field, Field) else Field(field)

    def boundaries(self) -> set[Version]:
        """Return the versions at which this table, or one inside it, changes."""
        found: set[Version] = set()
        for _, field in self.rows():
            found |= {field.window.since, field.window.until} | _inner_boundaries(field.schema)
        if isinstance(self.extra, Window):
            found |= {self.extra.since, self.extra.until}
        return {version for version in found if OLDEST < version <= NEWEST}

    def schema(self, version: Version) -> dict[str, Any]:
        """Return the JSON Schema of this object at ``version``."""
        rows = [(name, field) for name, field in self.rows() if version in field.window]
        extra = version in self.extra if isinstance(self.extra, Window) else self.extra
        schema: dict[str, Any] = {
            'type': ['object', 'null'] if self.null else 'object',
            'properties': {name: _schema(field.schema, version) for name, field in rows},
            'additionalProperties': extra,
        }
        if required := [name for name, field in rows if field.required]:
            schema['required'] = required
        return {**schema, **(self.rules or {})}

    def drops(self, version: Version) -> Drops:
        """Return what an answer of this table loses at ``version``, with what the tables inside it lose."""
        inner = {}
        for name, field in self.rows():
            schema = field.schema.item if isinstance(field.schema, ListOf) else field.schema
            if version in field.window and isinstance(schema, Fields) and (lost := schema.drops(version)):
                inner[name] = lost
        return Drops(self.missing(version), inner)

    def missing(self, version: Version) -> frozenset[str]:
        """Return the keys of the table that do not exist at ``version``."""
        present = {name for name, field in self.rows() if version in field.window}
        return frozenset(name for name in self.table if name not in present)


@dataclass(frozen=True)
class ListOf:
    """A list whose items are a table or a schema."""

    item: Any
    rules: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class OneOf:
    """A value that fits one of several tables or schemas."""

    options: tuple[Any, ...]


def fields(table: Mapping[str, Any] | None = None, *, extra: Any = False, rules: Mapping[str, Any] | None = None,
           null: bool = False, **named: Any) -> Fields:
    """Make a table from a mapping (for names such as ``OS-DCF:diskConfig``) and keywords."""
    return Fields({**(table or {}), **named}, extra, rules, null)


def _schema(entry: Any, version: Version) -> Any:
    if isinstance(entry, Fields):
        return entry.schema(version)
    if isinstance(entry, ListOf):
        return {'type': 'array', 'items': _schema(entry.item, version), **(entry.rules or {})}
    if isinstance(entry, OneOf):
        return {'anyOf': [_schema(option, version) for option in entry.options]}
    return entry


def _inner_boundaries(entry: Any) -> set[Version]:
    if isinstance(entry, Fields):
        return entry.boundaries()
    if isinstance(entry, ListOf):
        return _inner_boundaries(entry.item)
    if isinstance(entry, OneOf):
        return set().union(*(_inner_boundaries(option) for option in entry.options))
    return set()


class Compiled:
    """Something made from a table once per version boundary, looked up by version.

    It is made when the first request of a span comes: clients use a few of the versions, and all of them take memory.
    """

    def __init__(self, table: Fields, make: Callable[[Version], Any]) -> None:
        self._starts = [OLDEST, *sorted(table.boundaries())]
        self._make = make
        self._made: dict[int, Any] = {}

    def at(self, version: Version) -> Any:
        """Return what is made for the span that ``version`` lies in."""
        span = bisect.bisect_right(self._starts, version) - 1
        if span not in self._made:
            self._made[span] = self._make(self._starts[span])
        return self._made[span]


class Validator:
    """Checks bodies or queries against a table."""

    def __init__(self, table: Fields, what: str = 'field/attribute') -> None:
        self._what = what
        self._validators = Compiled(table, lambda version: STRICT(
            table.schema(version), format_checker=STRICT.FORMAT_CHECKER))
        self._fit_empty = Compiled(table, lambda version: self._validators.at(version).is_valid({}))

    def check(self, version: Version, data: Any) -> None:
        """Return if ``data`` fits. :raises Invalid: names the field, its value and the rule it breaks."""
        if data == {} and self._fit_empty.at(version):
            return  # most requests have no query
        error = jsonschema.exceptions.best_match(self._validators.at(version).iter_errors(data))
        if error is not None:
            raise Invalid(self._explain(error), code='invalid_input')

    def _explain(self, error: jsonschema.ValidationError) -> str:
        if not error.absolute_path:
            return _safe(error.message, error)
        path = '.'.join(short(part) for part in error.absolute_path)
        name = short(error.absolute_path[-1])
        if any(word in path for word in _SECRET):
            return f'Invalid input for {self._what} {name}. The value is not shown; it must fit {_rule(error)}'
        if isinstance(error.instance, dict | list) and any(word in str(error.instance) for word in _SECRET):
            return f'Invalid input for {self._what} {path}. {_safe(error.message, error)}'
        return f'Invalid input for {self._what} {path}: {_reason(error)}. Value: {short(error.instance)}'


def _reason(error: jsonschema.ValidationError) -> str:
    """Return the reason of a validation error, without the value."""
    if error.validator in ('maxLength', 'maxItems'):
        unit = 'characters' if error.validator == 'maxLength' else 'items'
        return f'it is too long ({len(error.instance)} {unit}, the limit is {error.validator_value})'
    said = error.message.removeprefix(repr(error.instance))
    return _cut(f'it {said.strip()}' if said != error.message else said, error)


def _cut(message: str, error: jsonschema.ValidationError) -> str:
    message = shortened(message, [error.instance])
    return message if len(message) <= 500 else message[:500] + '...'


def _rule(error: jsonschema.ValidationError) -> str:
    return f'{error.validator} {error.validator_value}'[:300]


def _safe(message: str, error: jsonschema.ValidationError) -> str:
    if isinstance(error.instance, dict | list) and any(word in str(error.instance) for word in _SECRET):
        if error.validator == 'additionalProperties' and isinstance(error.instance, dict):
            known = error.schema.get('properties', {})
            extra = sorted(key for key in error.instance if key not in known)
            return f'Additional properties are not allowed ({", ".join(map(repr, extra))} unexpected)'
        if error.validator != 'required':
            return f'the value must fit {_rule(error)}'
    return _cut(message, error)
