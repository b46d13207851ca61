"""nftables as data: words for its JSON, and tables that are loaded whole, in one transaction, only where they differ.

Whether somebody has changed a table is seen by listing it: what nft shows right after loading is remembered as a
digest and compared with what it shows later.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from compute import exception
from compute.builtin.network.agent.linux import namespaces

TIMEOUT = 60
Json = dict[str, Any]


@dataclass
class Table:
    """One table of ours and the commands that fill it."""

    family: str
    name: str
    commands: list[Json] = field(default_factory=list)

    def chain(self, name: str, **base: Any) -> None:
        """Add a chain; ``type``, ``hook`` and ``prio`` make it a base chain."""
        extra = {'policy': 'accept', **base} if base else {}
        self._add('chain', name=name, **extra)

    def rule(self, chain: str, *expressions: Json) -> None:
        """Add a rule at the end of a chain."""
        self._add('rule', chain=chain, expr=list(expressions))

    def set(self, name: str, kind: str | list[str], elements: Iterable[Any], interval: bool = False) -> None:
        """Add a named set."""
        extra: Json = {'flags': ['interval']} if interval else {}
        self._add('set', name=name, type=kind, **extra, **_elements(elements))

    def map(self, name: str, kind: str, data: str, elements: Iterable[Any]) -> None:
        """Add a named map of (key, value) pairs."""
        self._add('map', name=name, type=kind, map=data, **_elements(elements))

    def _add(self, what: str, **values: Any) -> None:
        self.commands.append({'add': {what: {'family': self.family, 'table': self.name, **values}}})

    @property
    def reference(self) -> Json:
        """The table as an object of a command."""
        return {'table': {'family': self.family, 'name': self.name}}


def _elements(elements: Iterable[Any]) -> Json:
    found = list(elements)
    return {'elem': found} if found else {}


def meta(key: str) -> Json:
    """Return a packet's meta information."""
    return {'meta': {'key': key}}


def payload(protocol: str, name: str) -> Json:
    """Return a header field."""
    return {'payload': {'protocol': protocol, 'field': name}}


def concat(*parts: Json) -> Json:
    """Return several values as one key."""
    return {'concat': list(parts)}


def match(left: Json, right: Any, op: str = '==') -> Json:
    """Return a comparison."""
    return {'match': {'op': op, 'left': left, 'right': right}}


def state(*states: str) -> Json:
    """Return a match of connection states."""
    return match({'ct': {'key': 'state'}}, list(states) if len(states) > 1 else states[0], 'in')


def mangle(key: Json, value: Any) -> Json:
    """Return a statement that sets a value."""
    return {'mangle': {'key': key, 'value': value}}


ACCEPT: Json = {'accept': None}
DROP: Json = {'drop': None}


class Loader:
    """Keeps tables of this host, or of a namespace, as they are given."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, str]] = {}

    def ensure(self, tables: list[Table], namespace: str = '') -> bool:
        """Load tables unless they are loaded and unchanged; return whether they had to be.

        :raises exception.Unavailable: when nft refuses, with its words.
        """
        wanted = json.dumps([table.commands for table in tables], sort_keys=True)
        digest = hashlib.sha256(wanted.encode()).hexdigest()
        if (seen := self._seen.get(namespace)) and seen == (digest, self._listing(tables, namespace)):
            return False
        commands: list[Json] = []
        for table in tables:
            commands += [{'add': table.reference}, {'delete': table.reference}, {'add': table.reference}]
            commands += table.commands
        status, words = _nft(namespace, ['-f', '-'], json.dumps({'nftables': commands}))
        if status:
            raise exception.Unavailable(f'nft refused the tables of {namespace or "this host"}: {words[:500]}')
        self._seen[namespace] = (digest, self._listing(tables, namespace))
        return True

    def forget(self, namespace: str) -> None:
        """Know no more of a namespace that is gone."""
        self._seen.pop(namespace, None)

    def remove(self, tables: list[Table]) -> list[str]:
        """Remove tables from this host; return the names of those that were there."""
        removed = []
        for table in tables:
            if _nft('', ['delete', 'table', table.family, table.name])[0] == 0:
                removed.append(f'nft table {table.family} {table.name} removed')
        self._seen.pop('', None)
        return removed

    def _listing(self, tables: list[Table], namespace: str) -> str:
        shown = [_nft(namespace, ['list', 'table', table.family, table.name]) for table in tables]
        if any(status for status, _ in shown):
            return 'missing'
        plain = [_canonical(json.loads(words)) for _, words in shown]
        return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def drops_forwarded() -> bool:
    """Tell whether iptables rules of others drop what this host forwards, and so what its bridges carry."""
    status, words = _run(['list', 'chain', 'ip', 'filter', 'FORWARD'], None)
    if status:
        return False
    return any(item.get('chain', {}).get('policy') == 'drop' for item in json.loads(words)['nftables'])


def _canonical(value: Any) -> Any:
    """Leave out what changes by itself: handles, counters, the version, and the order of a set's elements."""
    if isinstance(value, dict):
        return {key: sorted((_canonical(item) for item in inner), key=json.dumps)
                if key == 'elem' and isinstance(inner, list) else _canonical(inner)
                for key, inner in value.items() if key not in ('handle', 'metainfo', 'packets', 'bytes')}
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    return value


def _nft(namespace: str, arguments: list[str], text: str | None = None) -> tuple[int, str]:
    if namespace:
        return namespaces.run_in(namespace, _run, arguments, text)
    return _run(arguments, text)


def _run(arguments: list[str], text: str | None) -> tuple[int, str]:
    try:
        done = subprocess.run(['nft', '-j', *arguments], input=text, capture_output=True, text=True, timeout=TIMEOUT,
                              check=False)
    except FileNotFoundError as error:
        raise exception.Unavailable('the program nft is not installed', hint='install nftables') from error
    except subprocess.TimeoutExpired as error:
        raise exception.Unavailable(f'nft did not end within {TIMEOUT} s') from error
    return done.returncode, done.stdout if done.returncode == 0 else done.stderr or done.stdout
