"""What daemons say to one another, as data: every interface with its methods, every value that travels with its fields.

A copy is kept for each release in ``released/``; ``python -m tests.contract.rpc.recording 0.2.0`` writes that of this
tree when a release is made. From a copy the old contract can be rebuilt (``rebuilt.py``) and spoken.
"""

from __future__ import annotations

import dataclasses
import enum
import importlib
import inspect
import json
import pkgutil
import sys
import types
import typing
from pathlib import Path
from typing import Any

import compute.rpc
from compute.rpc.interface import Interface, Method

RELEASED = Path(__file__).with_name('released')
Contract = dict[str, Any]


def interfaces() -> list[type[Interface]]:
    """Return every interface of ``compute/rpc/``, by topic and name."""
    found = {cls for module in pkgutil.iter_modules(compute.rpc.__path__)
             for _, cls in inspect.getmembers(importlib.import_module(f'compute.rpc.{module.name}'), inspect.isclass)
             if issubclass(cls, Interface) and 'NAME' in vars(cls)}
    return sorted(found, key=key)


def key(interface: type[Interface]) -> str:
    """Return what an interface is called in a record."""
    return f'{interface.TOPIC or "*"}.{interface.NAME}'


def contract() -> Contract:
    """Return the contract of this tree."""
    values: dict[str, Any] = {}
    told = {key(interface): {'version': interface.VERSION, 'methods': {
        name: _method(interface, method, values) for name, method in sorted(interface.methods().items())}}
        for interface in interfaces()}
    return {'interfaces': told, 'values': dict(sorted(values.items()))}


def _method(interface: type[Interface], method: Method, values: dict[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(getattr(interface, method.name)).parameters
    arguments = {name: {'type': describe(method.hints[name], values), 'required': parameter.default is parameter.empty}
                 for name, parameter in parameters.items() if name in method.hints}
    return {'kind': method.kind, 'since': method.since, 'arguments': arguments,
            'returns': describe(method.hints.get('return', Any), values)}


def describe(hint: Any, values: dict[str, Any]) -> str:
    """Return a type in words, as Python writes it; dataclasses that it names are added to ``values``."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return ' | '.join(describe(part, values) for part in parts)
    if origin is not None:
        inner = ', '.join('...' if part is Ellipsis else describe(part, values) for part in parts)
        return f'{origin.__name__}[{inner}]'
    if hint is type(None):
        return 'None'
    if dataclasses.is_dataclass(hint):
        _describe_value(hint, values)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        raise TypeError(f'{hint.__name__} travels: say here how an enumeration is recorded')
    return 'Any' if hint is Any else str(hint.__name__)


def _describe_value(cls: Any, values: dict[str, Any]) -> None:
    if cls.__name__ in values:
        return
    values[cls.__name__] = {}
    hints = typing.get_type_hints(cls)
    values[cls.__name__].update({
        field.name: {'type': describe(hints[field.name], values),
                     'required': field.default is dataclasses.MISSING and
                     field.default_factory is dataclasses.MISSING}
        for field in dataclasses.fields(cls)})


def released() -> dict[str, Contract]:
    """Return the records by release, the oldest first."""
    paths = sorted(RELEASED.glob('*.json'), key=lambda path: [int(part) for part in path.stem.split('.')])
    return {path.stem: json.loads(path.read_text()) for path in paths}


if __name__ == '__main__':
    (RELEASED / f'{sys.argv[1]}.json').write_text(json.dumps(contract(), indent=1) + '\n')
