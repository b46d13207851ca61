"""The metrics of several processes of one daemon as one: whichever of them is asked, it answers for all.

Each process keeps what it has counted in a file of its own, in a folder that their parent (``supervisor``) made and
removes; it writes every ``EVERY`` seconds, at each look, and at its end. Who is asked adds the files of the others.
When a process has ended the parent adds what it had to the file of the ended, so that no counter ever goes back.
"""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from compute.metric_families import COUNTER, FAMILIES, GAUGE

LOG = logging.getLogger(__name__)
Values = dict[str, dict[tuple[str, ...], Any]]
FILE = 'COMPUTE_METRICS_FILE'
"""Of the environment: the file of this process."""
EVERY = 2.0
_ENDED = 'ended'
_MOST_NAMES = 1000
_KINDS = {family.name: family.kind for family in FAMILIES}
_ADDS_UP = frozenset(family.name for family in FAMILIES if family.adds_up)


class Told:
    """What one file says: values, the process (0 for the ended), its processor time, and who is in it."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.pid, self.seconds, self.names = int(data['pid']), float(data['seconds']), list(data['names'])
        self.values: Values = {name: {tuple(labels): cell for labels, cell in rows}
                               for name, rows in data['values'].items() if name in _KINDS}


def write(path: Path, values: Values, pid: int, seconds: float = 0.0, names: Iterable[str] = ()) -> None:
    """Replace a file by what is so now; a reader sees the old or the new one."""
    rows = {name: [[labels, cell] for labels, cell in series.items()] for name, series in values.items()}
    new = path.with_suffix('.new')
    new.write_bytes(orjson.dumps({'pid': pid, 'seconds': seconds, 'names': list(names), 'values': rows}))
    new.replace(path)


def read(path: Path) -> Told | None:
    """Return what a file says; None when there is none (any more)."""
    try:
        return Told(orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        LOG.warning('metrics of another process cannot be read from %s: %s', path, error)
        return None


def others(own: Path) -> list[Told]:
    """Return what the other processes of the daemon have, the ended as one."""
    # The living first: one that ends meanwhile is in both then, and is left out here.
    living = {path.stem: told for path in own.parent.glob('*.json') if path != own and path.stem != _ENDED
              and (told := read(path)) is not None}
    ended = read(own.with_name(f'{_ENDED}.json'))
    gone = set(ended.names) if ended is not None else set()
    return [told for name, told in living.items() if name not in gone] + ([ended] if ended is not None else [])


def bury(path: Path) -> None:
    """Add what a process had, which has ended, to the ended. To be called by the parent, once for each."""
    told = read(path)
    if told is None:
        return
    ended_path = path.with_name(f'{_ENDED}.json')
    ended = read(ended_path)
    kept = {name: series for name, series in told.values.items() if _KINDS[name] != GAUGE}
    total: Values = ended.values if ended is not None else {}
    add(total, kept)
    # What all the ended used, as the system knows it: more than the file of one that was killed says.
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    names = ([*ended.names, path.stem] if ended is not None else [path.stem])[-_MOST_NAMES:]
    try:
        write(ended_path, total, 0, used.ru_utime + used.ru_stime, names)
        path.unlink(missing_ok=True)
    except OSError as error:
        LOG.warning('what process %d counted is lost: %s', told.pid, error)


def add(total: Values, more: Mapping[str, Mapping[tuple[str, ...], Any]]) -> None:
    """Add values to others: what belongs to a process is added up, of what all of them see the largest is taken."""
    for name, series in more.items():
        into = total.setdefault(name, {})
        for labels, cell in series.items():
            have = into.get(labels)
            if have is None:
                into[labels] = list(cell) if isinstance(cell, list) else cell
            elif isinstance(cell, list):
                into[labels] = [one + other for one, other in zip(have, cell, strict=True)]
            else:
                into[labels] = have + cell if name in _ADDS_UP else max(have, cell)


class Processes:
    """``process_*`` of all processes together, in the terms of Prometheus' library."""

    _LARGEST, _LEAST = ('process_max_fds',), ('process_start_time_seconds',)

    def __init__(self, own: Path) -> None:
        self._own = own

    def collect(self) -> Iterable[Any]:
        """Yield the families of the library, each as one number."""
        import prometheus_client
        told = others(self._own)
        pids = [os.getpid(), *(each.pid for each in told if each.pid)]
        found: dict[str, Any] = {}
        numbers: dict[str, list[float]] = {}
        for pid in pids:
            collector = prometheus_client.ProcessCollector(pid=lambda pid=pid: pid, registry=None)  # type: ignore[misc]
            for family in collector.collect():
                found.setdefault(family.name, family)
                numbers.setdefault(family.name, []).append(family.samples[0].value)
        for name, family in found.items():
            value = (max if name in self._LARGEST else min if name in self._LEAST else sum)(numbers[name])
            if family.type == COUNTER:
                value += sum(each.seconds for each in told)
            sample = family.samples[0]
            family.samples = [sample._replace(value=value)]
            yield family
