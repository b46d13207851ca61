"""Counts what happens in this process and shows it in Prometheus' format.

``count``, ``observe`` and ``set_value`` may be called from anywhere, on hot paths too: a call costs less than a
microsecond, touches nothing but a dictionary and never fails for want of something else. What is cheaper to ask than
to keep (the depth of a pool, rows of a table) comes from *sources*, functions that are asked when somebody looks.

All names are in ``metric_families``. The library that writes the format is loaded at the first look, so that a daemon
at which nobody looks does not pay for it. There is one registry for a process, as there is one process.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from compute import concurrency, exception, metrics_shared
from compute.metric_families import COUNTER, FAMILIES, GAUGE, HISTOGRAM, Family

LOG = logging.getLogger(__name__)
Sample = tuple[str, float, tuple[str, ...]]
"""``(family, value, label values)``: what a source returns."""

MOST_SERIES = 5000
"""Series of one family. More would be a label that grows without bound; they are added up under ``other``."""

_OTHER = 'other'
BY_NAME: dict[str, Family] = {family.name: family for family in FAMILIES}
_BOUNDS = {family.name: family.buckets for family in FAMILIES}
_series: dict[str, dict[tuple[str, ...], Any]] = {family.name: {} for family in FAMILIES}
# Held for a few instructions that never switch: a native lock is right for green threads, and far cheaper.
_lock = concurrency.native_lock()


def count(name: str, *labels: str, by: float = 1) -> None:
    """Add to a counter, or to a gauge that goes up and down."""
    series = _series[name]
    with _lock:
        try:
            series[labels] += by
        except KeyError:
            labels = _admit(name, labels)
            series[labels] = series.get(labels, 0) + by


def set_value(name: str, value: float, *labels: str) -> None:
    """Set a gauge."""
    series = _series[name]
    with _lock:
        if labels not in series:
            labels = _admit(name, labels)
        series[labels] = value


def observe(name: str, value: float, *labels: str) -> None:
    """Take a duration in: one more in its bucket of a histogram."""
    series = _series[name]
    bounds = _BOUNDS[name]
    with _lock:
        cell = series.get(labels)
        if cell is None:
            labels = _admit(name, labels)
            cell = series.setdefault(labels, [0] * (len(bounds) + 1) + [0.0])
        cell[bisect_left(bounds, value)] += 1
        cell[-1] += value


class Timer:
    """Observes how long its block took: ``with Timer('name', 'label'):``. ``labels`` may be changed inside."""

    __slots__ = ('_begin', '_name', 'labels')

    def __init__(self, name: str, *labels: str) -> None:
        self._name, self.labels, self._begin = name, labels, 0.0

    def __enter__(self) -> Timer:
        self._begin = time.perf_counter()
        return self

    def __exit__(self, *exc_info: object) -> None:
        observe(self._name, time.perf_counter() - self._begin, *self.labels)


def value(name: str, *labels: str) -> float:
    """Return a counter or a gauge as it is now, or how many a histogram has seen; 0 where there is nothing yet."""
    with _lock:
        found = _series[name].get(labels, 0)
        return sum(found[:-1]) if isinstance(found, list) else found


def reset() -> None:
    """Forget all values; sources stay. For tests."""
    with _lock:
        for series in _series.values():
            series.clear()


def _admit(name: str, labels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the labels of a new series, or those of ``other`` when there are too many. The lock is held."""
    family = BY_NAME[name]
    if len(labels) != len(family.labels):
        raise ValueError(f'{name} takes the labels {family.labels}, not {labels}')
    if len(_series[name]) < MOST_SERIES:
        return labels
    dropped = _series['compute_metrics_series_dropped_total']
    dropped[(name,)] = dropped.get((name,), 0) + 1
    return (_OTHER,) * len(labels)


# -- sources --

class Source:
    """A function that is asked for samples at each look. One that is ``slow`` (asks a database) runs in a thread of
    its own, and its last answer is shown while it has not answered, at most ``fresh`` seconds later anew."""

    def __init__(self, name: str, function: Callable[[], Iterable[Sample]], slow: bool, fresh: float) -> None:
        self.name, self._function, self.slow, self._fresh = name, function, slow, fresh
        self.samples: list[Sample] = []
        self._asked_at = -1e9
        self._idle = threading.Event()
        self._idle.set()

    def ask(self) -> None:
        """Begin to read, or read at once if it is not slow; nothing while an earlier reading goes on."""
        if not self.slow:
            self._read()
        elif self._idle.is_set() and time.monotonic() - self._asked_at >= self._fresh:
            self._asked_at = time.monotonic()
            self._idle.clear()
            concurrency.spawn(self._read, name=f'metrics-{self.name}')

    def wait(self, seconds: float) -> None:
        """Wait for the reading that goes on; a source that is late is counted, its last answer stays."""
        if not self._idle.wait(seconds):
            count('compute_metrics_source_errors_total', self.name)

    def _read(self) -> None:
        try:
            self.samples = list(self._function())
        except Exception as error:  # whatever it asks may be down; the other metrics are wanted all the more
            self.samples = []
            LOG.info('source of metrics %s: %s', self.name, getattr(error, 'message', error))
            count('compute_metrics_source_errors_total', self.name)
        finally:
            self._idle.set()


_sources: list[Source] = []


def source(name: str, function: Callable[[], Iterable[Sample]], *, slow: bool = False,
           fresh: float = 5.0) -> Callable[[], None]:
    """Ask ``function`` at each look; return what ends that. One process may have several of a name (standalone)."""
    added = Source(name, function, slow, fresh)
    _sources.append(added)

    def remove() -> None:
        if added in _sources:
            _sources.remove(added)
    return remove


def exported(service: str, parts: Mapping[str, Callable[[], Iterable[Sample]]]) -> Iterator[Sample]:
    """Yield the samples of a service under the exporter's names, how long each part took, and whether it is up.

    One part that cannot be read ends it: what it would ask next is down as well.
    """
    up = 1
    for name, read in parts.items():
        begin = time.perf_counter()
        try:
            yield from read()
        except exception.ComputeError:
            up = 0
            break
        yield 'openstack_metric_collect_seconds', time.perf_counter() - begin, (service, name)
    yield f'{service}_up', up, ()


def collect(patience: float = 3.0) -> dict[str, dict[tuple[str, ...], Any]]:
    """Return every value by family and labels, sources included; wait ``patience`` seconds for all of them at most."""
    return _collected(list(_sources), patience)


def _collected(sources: list[Source], patience: float) -> metrics_shared.Values:
    for each in sources:
        each.ask()
    end = time.monotonic() + patience
    for each in sources:
        each.wait(max(0.0, end - time.monotonic()))
    with _lock:
        found = {name: {labels: list(cell) if isinstance(cell, list) else cell for labels, cell in series.items()}
                 for name, series in _series.items() if series}
    for each in sources:
        for name, number, labels in each.samples:
            found.setdefault(name, {})[labels] = number
    return found


def _process() -> Iterable[Sample]:
    """Say what can be asked of the process itself."""
    for pool in concurrency.pools():
        yield 'compute_pool_pending', pool.pending, (pool.name,)
        yield 'compute_pool_limit', pool.limit, (pool.name,)
        yield 'compute_pool_rejected_total', pool.rejected, (pool.name,)
    with open('/proc/self/status') as status:
        threads = next(line.split()[1] for line in status if line.startswith('Threads:'))
    yield 'compute_threads', int(threads), ()


source('process', _process)


# -- several processes --

_own_file: Path | None = None
_keeping: Any = None


def share(path: str) -> None:
    """Be one of several processes of a daemon, which answer for one another: keep what is counted in a file.

    It does not return.
    """
    global _own_file, _keeping
    _own_file, _keeping = Path(path), threading.Lock()
    while True:
        keep()
        threading.Event().wait(metrics_shared.EVERY)


def keep() -> None:
    """Write what is counted to the file of this process, if it has one.

    Slow sources are left out: they ask what all processes see, and nobody may be looking.
    """
    if _own_file is None:
        return
    with _keeping:
        values = _collected([each for each in _sources if not each.slow], 0)
        try:
            metrics_shared.write(_own_file, values, os.getpid())
        except OSError as error:
            LOG.warning('metrics are not kept for the other processes: %s', error)


def _of_all() -> metrics_shared.Values:
    """Return the values of all processes. What is shown is kept first, so that no other shows less."""
    if _own_file is None:
        return collect()
    keep()
    values = collect()
    for told in metrics_shared.others(_own_file):
        metrics_shared.add(values, told.values)
    return values


# -- the format --

class _Collector:
    """What the library asks for all metrics."""

    def collect(self) -> Iterable[Any]:
        """Yield a family of the library for each of ours that has a value."""
        found = _of_all()
        for family in FAMILIES:
            if family.name in found:
                yield _shown(family, found[family.name])


def _shown(family: Family, series: dict[tuple[str, ...], Any]) -> Any:
    from prometheus_client import core
    shapes = {COUNTER: core.CounterMetricFamily, GAUGE: core.GaugeMetricFamily,
              HISTOGRAM: core.HistogramMetricFamily}
    shown: Any = shapes[family.kind](family.name, family.text, labels=family.labels)
    for labels, cell in sorted(series.items()):
        if family.kind == HISTOGRAM:
            shown.add_metric(labels, _cumulated(family.buckets, cell), sum_value=cell[-1])
        else:
            shown.add_metric(labels, cell)
    return shown


def _cumulated(bounds: tuple[float, ...], cell: list[float]) -> list[tuple[str, float]]:
    total, rows = 0.0, []
    for bound, number in zip((*map(str, bounds), '+Inf'), cell[:-1], strict=True):
        total += number
        rows.append((bound, total))
    return rows


_registry: Any = None
CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'


def render() -> bytes:
    """Return everything in Prometheus' text format (``CONTENT_TYPE``): ours, and the process's own metrics."""
    global _registry
    import prometheus_client
    if _registry is None:
        registry = prometheus_client.CollectorRegistry()
        registry.register(_Collector())  # type: ignore[arg-type]
        if _own_file is None:
            prometheus_client.ProcessCollector(registry=registry)
        else:
            registry.register(metrics_shared.Processes(_own_file))  # type: ignore[arg-type]
        _registry = registry
    return prometheus_client.generate_latest(_registry)
