"""What the users of a soak note: every request, what was answered 202, and whatever was not to be expected."""

from __future__ import annotations

import datetime
import threading
from collections import Counter
from dataclasses import dataclass, field

from compute.objects.value import now


@dataclass(frozen=True)
class Failure:
    """A request without a good answer. ``what``: the status and the code, or the kind of broken connection."""

    request: str
    service: str
    begin: datetime.datetime
    end: datetime.datetime
    what: str
    text: str = ''


@dataclass(frozen=True)
class Missed:
    """A server that did not come to the state that was asked for; the ledger has to say why."""

    uuid: str
    kind: str
    wish: str
    state: str


@dataclass
class Journal:
    """Shared by all users. ``asked``: operations by server and kind that were accepted, each once."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    missed: list[Missed] = field(default_factory=list)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    made: dict[str, str] = field(default_factory=dict)
    slowest: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, request: str, result: str) -> None:
        """Count an answer."""
        with self._lock:
            self.counts[request, result] += 1

    def failed(self, failure: Failure) -> None:
        """Note a request that was not answered well."""
        with self._lock:
            self.counts[failure.request, failure.what] += 1
            self.failures.append(failure)

    def accepted(self, uuid: str, kind: str, name: str = '') -> None:
        """Note an operation that was accepted; a ``name`` is that of a new server."""
        with self._lock:
            self.asked[uuid, kind] += 1
            if name:
                self.made[name] = uuid

    def settled(self, kind: str, seconds: float) -> None:
        """Note how long an operation took, as its user saw it."""
        with self._lock:
            self.slowest[kind] = max(seconds, self.slowest.get(kind, 0.0))

    def complain(self, text: str) -> None:
        """Note what must never be."""
        with self._lock:
            self.wrong.append(f'{now():%H:%M:%S} {text}')

    def miss(self, missed: Missed) -> None:
        """Note a server that did not come to its state."""
        with self._lock:
            self.missed.append(missed)
