"""Gives each network of this host a small number and remembers it in a file, so that a restart changes nothing."""

from __future__ import annotations

import json
import os

from compute import exception


def write_atomically(path: str, text: str, mode: int = 0o644) -> bool:
    """Write a file so that a reader sees the old or the new text; return False when it had that text already."""
    try:
        with open(path, encoding='utf-8') as old:
            if old.read() == text:
                return False
    except (FileNotFoundError, UnicodeDecodeError):
        pass
    temporary = f'{path}.new'
    with open(temporary, 'w', encoding='utf-8') as new:
        new.write(text)
        new.flush()
        os.fsync(new.fileno())
    os.chmod(temporary, mode)
    os.replace(temporary, path)
    return True


class Indexes:
    """Numbers from 1 to ``limit`` by network id, kept in ``path``."""

    def __init__(self, path: str, limit: int) -> None:
        self._path, self._limit = path, limit
        self._numbers = self._read()

    def __contains__(self, network_id: str) -> bool:
        return network_id in self._numbers

    def known(self) -> set[str]:
        """Return the networks that have a number: everything that may have left traces."""
        return set(self._numbers)

    def number(self, network_id: str) -> int:
        """Return a network's number, a new one for a new network.

        :raises exception.Unavailable: when all are taken.
        """
        if network_id not in self._numbers:
            taken = set(self._numbers.values())
            free = next((number for number in range(1, self._limit + 1) if number not in taken), None)
            if free is None:
                raise exception.Unavailable(f'[network_agent] link_range has room for {self._limit} networks, '
                                            'and all are in use on this host')
            self._numbers[network_id] = free
            self._write()
        return self._numbers[network_id]

    def release(self, network_id: str) -> None:
        """Free a network's number."""
        if self._numbers.pop(network_id, None) is not None:
            self._write()

    def _read(self) -> dict[str, int]:
        try:
            with open(self._path, encoding='utf-8') as file:
                stored = json.load(file)
        except (FileNotFoundError, ValueError):
            return {}
        return {str(key): number for key, number in stored.items()
                if isinstance(number, int) and 0 < number <= self._limit} if isinstance(stored, dict) else {}

    def _write(self) -> None:
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        write_atomically(self._path, json.dumps(self._numbers, sort_keys=True))
