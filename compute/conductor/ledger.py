"""The ledger as a conductor watches it: what is open, how old it is, and whether something is past its deadline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from compute import metrics
from compute.db import overview, services
from compute.db.session import Database
from compute.health import DOWN, STATES, Probe
from compute.objects.value import now


def ledger_probe(db: Database, conf: Any) -> Probe:
    """Return a probe of the oldest promise that was not kept: seconds by which an open operation is past its deadline.

    The reaper ends what is, within a few sweeps; more than that means that nothing sweeps.
    """
    def look() -> float:
        row = db.read(overview.most_overdue)
        return max(0.0, (now() - row).total_seconds()) if row is not None else 0.0
    return Probe('operations', look, slow_above=conf.conductor.reaper_interval * 5 + 10,
                 reason='an operation is {value:.0f} s past its deadline')


def samples(db: Database, conf: Any) -> Iterator[metrics.Sample]:
    """Yield what is open by kind and state, the oldest of each kind, and the daemons by their state."""
    time = now()
    oldest: dict[str, float] = {}
    overdue = 0
    for row in db.read(overview.open_by_kind):
        yield 'compute_operations_open', row['number'], (row['kind'], row['state'])
        age = (time - row['oldest']).total_seconds()
        oldest[row['kind']] = max(oldest.get(row['kind'], 0.0), age)
        overdue += int(row['overdue'] or 0)
    for kind, age in oldest.items():
        yield 'compute_operation_oldest_seconds', age, (kind,)
    yield 'compute_operations_overdue', overdue, ()
    counts: dict[tuple[str, str], int] = {}
    for service in db.read(services.page):
        up = service.is_up(time, conf.conductor.service_down_time)
        state = service.health.get('state', STATES[0]) if up else DOWN
        counts[service.binary, state] = counts.get((service.binary, state), 0) + 1
    for labels, number in counts.items():
        yield 'compute_services', number, labels
