"""The hosts in memory, and how they keep up with the database.

Every change of a host's row raises its generation, so a look at the database asks for the few rows that changed lately
and reads those whose generation is new. The look goes back over an overlap, because a transaction may commit some time
after it took the time for ``changed_at``. Claims of this process are *pending* from the decision until their
transaction has ended: they are charged at once, so that requests served at the same time do not choose the same room.
"""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

from oslo_config import cfg
from sqlalchemy.engine import Connection

from compute.db import hosts as db_hosts
from compute.db.session import Database
from compute.objects.host import Host
from compute.objects.value import now
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request

OVERLAP = datetime.timedelta(seconds=10)
LIVENESS_OVERLAP = datetime.timedelta(seconds=3)
LIVENESS_SPACING = 1.0


class _Generations:
    """The generations of hosts in memory, looked up one by one: thousands of hosts are known, few have changed."""

    def __init__(self, hosts: dict[int, HostState]) -> None:
        self._hosts = hosts

    def get(self, host_id: int) -> int | None:
        """Return the generation that is known of a host, or None."""
        state = self._hosts.get(host_id)
        return None if state is None else state.generation


class HostStates:
    """All hosts. What it hands out may be read only while ``lock`` is held; nothing blocks while it is."""

    def __init__(self, database: Database, conf: cfg.ConfigOpts) -> None:
        self._db = database
        self._interval = conf.scheduler.refresh_interval
        self._down_after = float(conf.conductor.service_down_time)
        self._lock = threading.RLock()
        self._looking = threading.Lock()
        self._hosts: dict[int, HostState] = {}
        self._by_service: dict[int, int] = {}
        self._pending: dict[int, list[Request]] = {}
        self._looked: datetime.datetime | None = None
        self._looked_at = self._heard_at = -1e9
        self._heard = datetime.datetime.min

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """What a decision holds from reading the hosts to ``assume``."""
        return self._lock

    def all(self) -> list[HostState]:
        """Return all hosts in the order in which they registered; hold ``lock``."""
        return list(self._hosts.values())

    def count(self) -> int:
        """Return how many hosts are known."""
        return len(self._hosts)

    # -- keeping up --

    def refresh(self, force: bool = False) -> None:
        """See what changed, unless a look was taken just now. ``force``: look now, even at heartbeats.

        While another thread looks, go on with what is known, but with ``force`` wait for it and then look again.
        """
        if not force and time.monotonic() - self._looked_at < self._interval:
            return
        if not self._looking.acquire(blocking=force or self._looked is None):
            return
        try:
            if self._looked is None:
                self._load()
            else:
                self._look(force)
        finally:
            self._looking.release()

    def reload(self) -> None:
        """Read all hosts anew; those that are gone are forgotten."""
        with self._looking:
            self._load()

    def see(self, host_id: int) -> None:
        """Read one host again."""
        rows = self._db.read(lambda connection: db_hosts.of_ids(connection, [host_id]))
        with self._lock:
            self._merge(rows)
            if not rows:
                self._forget([host_id])

    def _load(self) -> None:
        begun = now()
        started = time.monotonic()
        rows, busy = self._db.read(lambda connection: (db_hosts.all_hosts(connection), db_hosts.io_ops(connection)))
        with self._lock:
            known = {row.id for row in rows}
            self._forget([host_id for host_id in self._hosts if host_id not in known])
            self._merge(rows)
            for row in rows:
                self._hear(row.id, row.service_disabled, row)
            self._note_io(busy)
        self._looked = self._heard = begun
        self._looked_at = self._heard_at = started

    def _look(self, force: bool) -> None:
        assert self._looked is not None
        begun, started = now(), time.monotonic()
        since = self._looked - OVERLAP
        listen = force or started - self._heard_at >= LIVENESS_SPACING
        known = _Generations(self._hosts)

        def read(connection: Connection) -> tuple[list[Host], list[Any], dict[str, int] | None]:
            changed = db_hosts.changed_since(connection, since, known)
            if not listen:
                return changed, [], None
            return changed, db_hosts.liveness(connection, self._heard - LIVENESS_OVERLAP), db_hosts.io_ops(connection)
        changed, heard, busy = self._db.read(read)
        with self._lock:
            self._merge(changed)
            for row in heard:
                if (host_id := self._by_service.get(row.service_id)) is not None:
                    self._hear(host_id, row.disabled, row)
            if busy is not None:
                self._note_io(busy)
        self._looked, self._looked_at = begun, started
        if listen:
            self._heard, self._heard_at = begun, started

    def _merge(self, rows: Iterable[Host]) -> None:
        for row in rows:
            current = self._hosts.get(row.id)
            if current is not None and row.generation < current.generation:
                continue  # read before a claim of ours that has ended since
            state = HostState.of(row, self._down_after)
            for request in self._pending.get(row.id, ()):
                state.charge(request)
            if current is not None:
                state.io_ops = current.io_ops
            self._hosts[row.id] = state
            self._by_service[row.service_id] = row.id

    def _hear(self, host_id: int, disabled: bool, row: Any) -> None:
        if (state := self._hosts.get(host_id)) is not None:
            state.live(disabled, row.disabled_reason, row.forced_down, row.last_seen_at, self._down_after)
            state.sickness = row.sickness

    def _note_io(self, busy: dict[str, int]) -> None:
        for state in self._hosts.values():
            state.io_ops = busy.get(state.host, 0) + len(self._pending.get(state.id, ()))

    def _forget(self, ids: Iterable[int]) -> None:
        for host_id in ids:
            if (state := self._hosts.pop(host_id, None)) is not None:
                self._by_service.pop(state.service_id, None)

    # -- claims of this process --

    def assume(self, host_id: int, request: Request) -> None:
        """Charge a claim that is about to be taken."""
        with self._lock:
            self._pending.setdefault(host_id, []).append(request)
            if (state := self._hosts.get(host_id)) is not None:
                state.charge(request)

    def confirm(self, host_id: int, generation: int, *requests: Request) -> None:
        """End claims that were taken in one step and made the host's row this generation."""
        with self._lock:
            for request in requests:
                self._settle(host_id, request)
            state = self._hosts.get(host_id)
            if state is None:
                return
            if state.generation >= generation:
                for request in requests:
                    state.charge(request, -1)  # the row was read meanwhile, this claim in it: it was counted twice
            elif state.generation == generation - 1:
                state.generation = generation
            # Else others changed the row as well: the generation stays old, and the next look reads it.

    def abandon(self, host_id: int, request: Request) -> None:
        """End a claim that was not taken."""
        with self._lock:
            self._settle(host_id, request)
            if (state := self._hosts.get(host_id)) is not None:
                state.charge(request, -1)

    def _settle(self, host_id: int, request: Request) -> None:
        pending = self._pending[host_id]
        pending.remove(request)
        if not pending:
            del self._pending[host_id]
