"""What each process of a soak holds, looked at every few seconds: memory, threads, files and connections.

All of it comes from /proc, so that looking costs the daemons nothing. Connections are told apart by the port at their
other end. The ledger is asked for work that is older than its deadline.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from compute import exception
from compute.db.tables import operations
from compute.objects.value import now
from tests.endurance.soak.bed import SoakBed

LOG = logging.getLogger(__name__)
MIB = 1024.0


@dataclass(frozen=True)
class Sample:
    """One process at one moment: ``at`` in seconds since the soak began, memory in MiB."""

    at: float
    pss: float
    private: float
    threads: int
    files: int
    """Everything that is no connection: listeners, pipes, logs."""
    broker: int
    database: int
    http: int
    """Connections of HTTP, both ways."""
    closed: int
    """Sockets that the other end closed for good, as those that wait in a pool after the broker died; and pairs."""


@dataclass
class Life:
    """One process from its start to its end."""

    name: str
    pid: int
    samples: list[Sample] = field(default_factory=list)


@dataclass
class Seen:
    """Everything that was seen. ``late``: operations older than their deadline; ``oldest`` in seconds."""

    lives: list[Life] = field(default_factory=list)
    late: set[str] = field(default_factory=set)
    oldest: float = 0.0
    most_open: int = 0


class Watch:
    """Looks every ``spacing`` seconds, in threads of its own, until it is stopped."""

    def __init__(self, bed: SoakBed, spacing: float) -> None:
        self._bed, self._spacing = bed, spacing
        self.seen, self._begin = Seen(), time.monotonic()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._every, args=(look,), daemon=True)
                         for look in (self.look, self._ledger)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)

    def _every(self, look: Callable[[], None]) -> None:
        while not self._stop.wait(self._spacing):
            look()

    def look(self) -> None:
        """Look at every process that is there."""
        ports = {self._bed.broker.port: 'broker', self._bed.mariadb.port: 'database'}
        sockets, at = _sockets(), time.monotonic() - self._begin
        for name, daemon in list(self._bed.daemons.items()):
            process = daemon.process
            if process is None or process.poll() is not None:
                continue
            with contextlib.suppress(OSError):  # it was just killed
                self._life(name, process.pid).samples.append(_sample(process.pid, at, sockets, ports))

    def _life(self, name: str, pid: int) -> Life:
        for life in reversed(self.seen.lives):
            if (life.name, life.pid) == (name, pid):
                return life
        self.seen.lives.append(Life(name, pid))
        return self.seen.lives[-1]

    def _ledger(self) -> None:
        query = sa.select(operations).where(operations.c.state.in_(('queued', 'running')))
        try:
            rows = self._bed.stores['compute'].rows(query)
        except (exception.ComputeError, sa.exc.SQLAlchemyError) as error:
            LOG.info('the ledger cannot be seen: %s', error)
            return
        seen, time_now = self.seen, now()
        seen.most_open = max(seen.most_open, len(rows))
        seen.oldest = max([seen.oldest, *((time_now - row.created_at).total_seconds() for row in rows)])
        seen.late.update(f'operation {row.id} ({row.kind} of {row.instance_uuid}, {row.stage}) is open after its '
                         f'deadline {row.deadline_at}' for row in rows if row.deadline_at < time_now)


def _sockets() -> dict[str, tuple[int, int]]:
    """Return the ports (here, there) of each connection of this machine by the number of its socket."""
    found = {}
    for path in ('/proc/net/tcp', '/proc/net/tcp6'):
        with contextlib.suppress(FileNotFoundError):
            for line in Path(path).read_text().splitlines()[1:]:
                words = line.split()
                here, there = (int(words[index].rpartition(':')[2], 16) for index in (1, 2))
                found[words[9]] = here, there
    return found


def holders(bed: SoakBed) -> dict[int, str]:
    """Return who holds the connection of each local port: a daemon, or this process."""
    sockets, found = _sockets(), {}
    pids = {daemon.process.pid: name for name, daemon in bed.daemons.items() if daemon.process is not None}
    for pid, name in {**pids, os.getpid(): 'the test'}.items():
        for target in _descriptors(pid):
            if target.startswith('socket:[') and target[8:-1] in sockets:
                found[sockets[target[8:-1]][0]] = name
    return found


def _descriptors(pid: int) -> Iterator[str]:
    for number in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            yield os.readlink(f'/proc/{pid}/fd/{number}')


def _sample(pid: int, at: float, sockets: dict[str, tuple[int, int]], ports: dict[int, str]) -> Sample:
    folder = f'/proc/{pid}'
    memory = {}
    for line in Path(folder, 'smaps_rollup').read_text().splitlines()[1:]:
        name, _, value = line.partition(':')
        memory[name] = int(value.split()[0]) / MIB
    counts = {'broker': 0, 'database': 0, 'http': 0, 'files': 0, 'closed': 0}
    for target in _descriptors(pid):
        is_socket = target.startswith('socket:[')
        if is_socket and target[8:-1] not in sockets:
            counts['closed'] += 1
            continue
        _, there = sockets[target[8:-1]] if is_socket else (0, 0)
        counts[ports.get(there, 'http' if there else 'files')] += 1
    return Sample(at=at, pss=memory['Pss'], private=memory['Private_Clean'] + memory['Private_Dirty'],
                  threads=len(os.listdir(f'{folder}/task')), **counts)
