"""The contract of a release, made from its record: the same interfaces and values, as that release had them.

With them a test speaks as a daemon of that release does, without its code.
"""

from __future__ import annotations

import dataclasses
import datetime
import inspect
import typing
from typing import Any

from compute.rpc.interface import Interface, call, cast
from tests.contract.rpc.recording import Contract

_NAMES: dict[str, Any] = {'Any': Any, 'datetime': datetime.datetime}
_SAMPLES = {str: 'word', int: 7, float: 1.5, bool: True, dict: {'key': 'word'}, object: 'word', Any: 'word',
            datetime.datetime: datetime.datetime(2026, 1, 2, 3, 4, 5)}


class Release:
    """One release: ``values`` and ``interfaces`` by name."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.values: dict[str, type] = {}
        for name in contract['values']:
            self._value(name)
        self.interfaces = {name: self._interface(name, told) for name, told in contract['interfaces'].items()}

    def _value(self, name: str) -> type:
        if name not in self.values:
            fields = []
            for field, told in self._contract['values'][name].items():
                default = dataclasses.field(default=None) if not told['required'] else dataclasses.field()
                fields.append((field, self.hint(told['type']), default))
            self.values[name] = dataclasses.make_dataclass(name, fields, frozen=True, kw_only=True)
        return self.values[name]

    def hint(self, words: str) -> Any:
        """Return the type that words of the record stand for."""
        names = {name: self._value(name) for name in self._contract['values'] if name in words.replace('|', ' ')
                 .replace('[', ' ').replace(']', ' ').replace(',', ' ').split()}
        return eval(words, {**_NAMES, **names})

    def _interface(self, name: str, told: dict[str, Any]) -> type[Interface]:
        topic, _, short = name.partition('.')
        methods = {each: self._method(each, method) for each, method in told['methods'].items()}
        return type(short.title(), (Interface,), {
            'TOPIC': '' if topic == '*' else topic, 'NAME': short, 'VERSION': told['version'], **methods})

    def _method(self, name: str, told: dict[str, Any]) -> Any:
        def declared(self: object, context: Any, **arguments: Any) -> Any:
            raise NotImplementedError
        declared.__name__ = name
        declared.__annotations__ = {'context': Any, 'return': self.hint(told['returns']),
                                    **{each: self.hint(argument['type'])
                                       for each, argument in told['arguments'].items()}}
        mark = call(timeout=5, since=told['since']) if told['kind'] == 'call' else cast(since=told['since'])
        return mark(declared)

    def sample(self, hint: Any, *, whole: bool = True) -> Any:
        """Return something of a type; ``whole`` fills what may be left out, too."""
        origin, parts = typing.get_origin(hint), typing.get_args(hint)
        if origin is None and dataclasses.is_dataclass(hint) and isinstance(hint, type):
            told, hints = self._contract['values'][hint.__name__], typing.get_type_hints(hint)
            return hint(**{name: self.sample(hints[name], whole=whole) for name in told
                           if whole or told[name]['required']})
        if origin is dict:
            return {'key': self.sample(parts[1], whole=whole)} if parts else {}
        if origin in (tuple, list, set, frozenset):
            items = [part for part in parts if part is not Ellipsis]
            return origin(self.sample(part, whole=whole) for part in items)
        if parts:  # the first of a union
            return self.sample(parts[0], whole=whole)
        return None if hint is type(None) else _SAMPLES[hint]


def arguments_of(interface: type[Interface], method: str) -> dict[str, Any]:
    """Return the types of a method's arguments by name."""
    hints = typing.get_type_hints(getattr(interface, method))
    return {name: hint for name, hint in hints.items() if name not in ('context', 'return')}


def required(interface: type[Interface], method: str) -> set[str]:
    """Return the arguments that a method of today cannot do without."""
    parameters = inspect.signature(getattr(interface, method)).parameters
    return {name for name, parameter in parameters.items()
            if name not in ('self', 'context') and parameter.default is parameter.empty}
