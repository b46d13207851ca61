"""What is wrong with what a soak saw: answers, the ledger, processes that grow.

A process may fill its pools and caches while it is young, and pools fill further when much comes at once after a fault.
So each process is judged by itself, from the time when it has warmed up, by medians: what it held in the first part of
that time against the last. A leak goes on, a pool comes to an end. ``LONG`` and ``SHORT`` are the rules.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from compute.db.tables import instances, operations
from compute.objects.value import now
from tests.endurance.soak.bed import SoakBed
from tests.endurance.soak.engine import Soak
from tests.endurance.soak.watch import Life, Sample, holders

SUPERSEDED = ('deleted', 'superseded')
HELD = {'database': 60, 'broker': 40}
"""Connections that one process may hold at most: what its pools allow for two stores, and for RPC and its servers."""
THREADS = {'conductor': 115}
"""Threads of a process whose pools are full: 32 for RPC, 32 and 16 for operations, 16 for casts, those of connections
to the broker, and what runs for itself. Up to that it is a pool that fills, for good."""


@dataclass(frozen=True)
class Rule:
    """``warm``: seconds after a process' start from when it is judged. Windows are parts of the time after that.

    A process is judged if it lived for ``least`` seconds after that. Memory may grow by ``memory`` of what it was;
    counts by a tenth, or by ``few`` where that is more: what a burst may add to the pools of each. Threads may
    also be as many as ``THREADS`` of them.
    """

    warm: float
    least: float
    window: float
    memory: float
    few: Mapping[str, int]


LONG = Rule(warm=300, least=240, window=120, memory=0.10,
            few={'threads': 24, 'files': 5, 'broker': 12, 'database': 15, 'http': 15, 'closed': 24})
SHORT = Rule(warm=40, least=45, window=25, memory=0.15,
             few={'threads': 64, 'files': 10, 'broker': 12, 'database': 25, 'http': 30, 'closed': 24})


@dataclass(frozen=True)
class Growth:
    """Medians of one thing in the first and in the last window."""

    name: str
    what: str
    first: float
    last: float
    allowed: float

    @property
    def too_much(self) -> bool:
        """Tell whether it is more than is allowed."""
        return self.last > self.allowed

    def __str__(self) -> str:
        return f'{self.name}: {self.what} went from {self.first:.1f} to {self.last:.1f}, allowed are {self.allowed:.1f}'


def rule_of(seconds: float) -> Rule:
    """Return the rule for a soak of this length."""
    return LONG if seconds >= LONG.warm + LONG.least + LONG.window else SHORT


def growth(life: Life, rule: Rule) -> list[Growth]:
    """Return how a process grew; nothing if it did not live long enough to say."""
    begin = life.samples[0].at + rule.warm
    warm = [sample for sample in life.samples if sample.at >= begin]
    if not warm or warm[-1].at - begin < rule.least:
        return []
    early = [sample for sample in warm if sample.at <= begin + rule.window]
    late = [sample for sample in warm if sample.at >= warm[-1].at - rule.window]
    found = [_grown(life, 'private', early, late, lambda first: first * (1 + rule.memory))]
    bound = THREADS.get(life.name.rstrip('0123456789'), 0)
    for what, few in rule.few.items():
        found.append(_grown(life, what, early, late, _at_most(few, bound if what == 'threads' else 0)))
    return found


def _at_most(few: int, bound: int) -> Callable[[float], float]:
    """Return what a count may be at last, given what it was at first; never less than its bound."""
    return lambda first: max(first + max(few, first * 0.1), bound)


def _grown(life: Life, what: str, early: list[Sample], late: list[Sample], allowed: Callable[[float], float]) -> Growth:
    first, last = (statistics.median(getattr(sample, what) for sample in window) for window in (early, late))
    return Growth(f'{life.name} ({life.pid})', 'MiB of memory' if what == 'private' else what, first, last,
                  allowed(first))


def wrong(bed: SoakBed, soak: Soak) -> list[str]:
    """Return everything that must not be; ``bed`` still runs, and nothing goes on there."""
    return [*soak.journal.wrong, *_answers(soak), *[each for one in soak.happened for each in one.wrong],
            *soak.settled, *sorted(soak.seen.late), *_audit(soak), *soak.log, *_ledger(bed, soak), *_servers(bed, soak),
            *_growing(soak), *_connections(bed)]


def _answers(soak: Soak) -> list[str]:
    return [f'{each.begin:%H:%M:%S} {each.request} at {each.service}: {each.what} {each.text}, and no fault explains it'
            for each in soak.journal.failures if not any(one.excuses(each) for one in soak.happened)]


def _audit(soak: Soak) -> list[str]:
    if soak.audited == 0:
        return []
    return [f'compute-manage audit ended with {soak.audited}: {soak.audit}']


def _ledger(bed: SoakBed, soak: Soak) -> list[str]:
    """Every operation ended well, or as a fault of its time allows."""
    found = []
    for row in bed.stores['compute'].rows(sa.select(operations).where(operations.c.state != 'done')):
        code = (row.error or {}).get('code', row.state)
        if code in SUPERSEDED and soak.journal.asked[row.instance_uuid, 'delete']:
            continue
        end = row.finished_at or now()
        if not any(one.allows(row.kind, code, row.created_at, end) for one in soak.happened):
            found.append(f'{row.created_at:%H:%M:%S} operation {row.id} ({row.kind} of {row.instance_uuid}) is '
                         f'{row.state} at {end:%H:%M:%S}: {row.error}, and no fault explains it')
    return found


def _servers(bed: SoakBed, soak: Soak) -> list[str]:
    """Each request had its effect, once: one server for a name, one operation for each that was accepted."""
    store, journal = bed.stores['compute'], soak.journal
    names = Counter(row.name for row in store.rows(sa.select(instances.c.name)))
    found = [f'{count} servers are called {name}' for name, count in names.items() if count > 1]
    found += [f'server {name} ({uuid}) was accepted and is not there' for name, uuid in journal.made.items()
              if not names[name]]
    found += [f'server {name} is there and was not accepted' for name in names if name not in journal.made]
    done, failed = Counter[tuple[str, str]](), set()
    for row in store.rows(sa.select(operations)):
        done[row.instance_uuid, row.kind] += 1
        if row.state != 'done':
            failed.add((row.instance_uuid, row.kind))
    found += [f'{kind} of {uuid} was accepted {journal.asked[uuid, kind]} times and done {done[uuid, kind]} times'
              for uuid, kind in {*done, *journal.asked}
              if kind != 'delete' and done[uuid, kind] != journal.asked[uuid, kind]]
    found += [f'{missed} and the ledger does not say why' for missed in journal.missed
              if (missed.uuid, missed.kind) not in failed]
    return found


def _growing(soak: Soak) -> list[str]:
    rule = rule_of(soak.seconds)
    found = [str(each) for life in soak.seen.lives for each in growth(life, rule) if each.too_much]
    for life in soak.seen.lives:
        for what, most in HELD.items():
            if (had := max(getattr(sample, what) for sample in life.samples)) > most:
                found.append(f'{life.name} ({life.pid}) had {had} connections to {what}, at most {most} are right')
    return found


def _connections(bed: SoakBed) -> list[str]:
    """Broker and database know no connection that no daemon holds. Each look takes a while, so it is repeated."""
    for _ in range(5):
        if not (found := _unheld(bed)):
            break
    return found


def _unheld(bed: SoakBed) -> list[str]:
    held = holders(bed)
    channels = bed.broker.connections()
    found = [f'the broker has a connection from port {port} that nobody holds' for port in channels if port not in held]
    found += [f'{held[port]} has {count} channels on one connection' for port, count in channels.items()
              if port in held and count > 2]
    found += [f'the database has a connection from port {port} that nobody holds'
              for port in bed.mariadb.connections() if port not in held]
    return found
