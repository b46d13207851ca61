"""What the ledger promises, said a second time without SQL: who holds which operation, until when, how each ended.

Every method tells what the real ledger has to answer and changes what it has to hold afterwards. Times are the seconds
of the test's clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

LEASE, BEGIN, DOWN, RETRY = 30, 15, 60, 5
Actor = tuple[str, str]
"""Owner and incarnation."""


@dataclass
class Entry:
    """One operation. ``host`` is where it is to be done, ``place`` where its server is."""

    number: int
    kind: str
    server: str
    place: str
    host: str | None
    until: int | None
    deadline: int
    state: str = 'queued'
    holder: Actor | None = None

    @property
    def open(self) -> bool:
        return self.state in ('queued', 'running')


class Model:
    """The entries, which incarnation of each host is the current one, and when it was heard."""

    def __init__(self) -> None:
        self.now = 0
        self.entries: dict[int, Entry] = {}
        self.current: dict[str, str] = {}
        self.heard: dict[str, int] = {}
        # What those who work believe: until when each operation is theirs. No two may believe it at once.
        self.beliefs: dict[tuple[int, Actor], int] = {}

    def open(self) -> list[Entry]:
        return [entry for entry in self.entries.values() if entry.open]

    def believers(self, number: int) -> list[Actor]:
        """Return who is entitled to work on an operation now, as far as they know."""
        return [actor for (mine, actor), until in self.beliefs.items() if mine == number and until > self.now]

    # -- hosts --

    def register(self, host: str, incarnation: str) -> set[int]:
        """A worker starts: what is open on its host is its own at once."""
        self.current[host], self.heard[host] = incarnation, self.now
        seized = {entry.number for entry in self.open() if entry.host == host}
        for number in seized:
            self._depose(number)
            self._take(self.entries[number], _worker(host, incarnation))
        return seized

    def heartbeat(self, host: str, incarnation: str, numbers: Iterable[int]) -> set[int] | None:
        """Return what is lost; None: refused."""
        if self.current.get(host) != incarnation:
            return None
        self.heard[host] = self.now
        return self.renew(_worker(host, incarnation), numbers)

    def begin(self, host: str, incarnation: str, number: int) -> bool:
        entry = self.entries[number]
        return self.current.get(host) == incarnation and entry.host == host and self.lease(
            _worker(host, incarnation), number)

    def holds(self, host: str, incarnation: str, number: int) -> bool:
        """Whether a report of a worker is taken: a lease that ran out is held until somebody else takes it."""
        entry = self.entries[number]
        return entry.state == 'running' and entry.holder == _worker(host, incarnation)

    def finish(self, host: str, incarnation: str, number: int) -> bool:
        entry = self.entries[number]
        if entry.state == 'done' and entry.holder == _worker(host, incarnation):
            return True  # said twice
        held = self.holds(host, incarnation, number)
        if held:
            self._end(entry, 'done')
        return held

    def fail(self, host: str, incarnation: str, number: int, conductor: Actor) -> bool:
        """The conductor decides: a delete is tried again, the others are failed."""
        held = self.holds(host, incarnation, number)
        if held:
            entry = self.entries[number]
            self._depose(number)
            entry.holder = conductor
            self._failed(entry)
        return held

    # -- conductors --

    def lease(self, actor: Actor, number: int) -> bool:
        entry = self.entries[number]
        free = entry.holder in (None, actor) or entry.until is None or entry.until < self.now
        if not (entry.open and free):
            return False
        self._take(entry, actor)
        return True

    def renew(self, actor: Actor, numbers: Iterable[int]) -> set[int]:
        """Return what is not this actor's."""
        lost = set()
        for number in numbers:
            entry = self.entries[number]
            if entry.state == 'running' and entry.holder == actor:
                self._take(entry, actor)
            else:
                lost.add(number)
                self.beliefs.pop((number, actor), None)
        return lost

    def mine(self, actor: Actor, number: int) -> bool:
        entry = self.entries[number]
        return entry.state == 'running' and entry.holder == actor

    def hand_over(self, actor: Actor, number: int) -> None:
        if self.mine(actor, number):
            entry = self.entries[number]
            self._free(entry, BEGIN)
            entry.host = entry.place

    def give_back(self, actor: Actor, number: int) -> None:
        if self.mine(actor, number):
            self._free(self.entries[number], RETRY)

    def hand_back(self, actor: Actor, number: int) -> int:
        """A conductor stops: what it holds, or would take next, is free at once. Return how many."""
        entry = self.entries[number]
        if not (entry.open and (entry.holder == actor or (entry.holder is None and entry.host is None))):
            return 0
        self._free(entry, 0)
        return 1

    def end_failed(self, actor: Actor, number: int) -> None:
        if self.mine(actor, number):
            self._end(self.entries[number], 'failed')

    def cancel(self, number: int) -> None:
        self._end(self.entries[number], 'cancelled')

    def overdue(self) -> set[int]:
        return {entry.number for entry in self.open()
                if entry.until is None or entry.until < self.now or entry.deadline < self.now}

    def take_up(self, actor: Actor, seen: Entry) -> None:
        """The reaper goes on with what it saw: only if nobody did anything with it since."""
        entry = self.entries[seen.number]
        unchanged = entry.open and (entry.holder, entry.until) == (seen.holder, seen.until)
        down = seen.host is not None and seen.kind != 'delete' and not self.up(seen.host)
        if self.now > seen.deadline or down:
            if unchanged:
                self._depose(seen.number)
                self._take(entry, actor)
                self._failed(entry)
        elif seen.host is None:
            self._remove(actor, entry)
        elif unchanged:
            self._free(entry, BEGIN)
            if entry.kind == 'delete':
                self._remove(actor, entry)

    def up(self, host: str) -> bool:
        return host in self.heard and self.now - self.heard[host] <= DOWN

    def _remove(self, actor: Actor, entry: Entry) -> None:
        """A conductor takes a delete on: the server's host does it, or the conductor where that is down."""
        if not self.lease(actor, entry.number):
            return
        if self.up(entry.place):
            self.hand_over(actor, entry.number)
        else:
            self._end(entry, 'done')

    def _failed(self, entry: Entry) -> None:
        if entry.kind == 'delete' and self.now <= entry.deadline:
            self._free(entry, RETRY)
        else:
            self._end(entry, 'failed')

    def _take(self, entry: Entry, actor: Actor) -> None:
        entry.holder, entry.until, entry.state = actor, self.now + LEASE, 'running'
        self.beliefs[entry.number, actor] = entry.until

    def _free(self, entry: Entry, seconds: int) -> None:
        self._depose(entry.number)
        entry.holder, entry.until = None, self.now + seconds

    def _end(self, entry: Entry, state: str) -> None:
        entry.state, entry.until = state, None
        self._depose(entry.number)

    def _depose(self, number: int) -> None:
        """Whoever worked on it was told, or is refused from now on."""
        for key in [key for key in self.beliefs if key[0] == number]:
            del self.beliefs[key]

    def snapshot(self) -> list[Entry]:
        """Return what a reaper sees."""
        return [replace(self.entries[number]) for number in sorted(self.overdue())]


def _worker(host: str, incarnation: str) -> Actor:
    return f'nova-compute@{host}', incarnation
