"""How a daemon is: probes that look at what it depends on, and what they mean together.

A probe measures one thing: the round trip to the broker, to the database, to the hypervisor, how full the pools are,
how late timers fire. Quick ones look when somebody asks; slow ones run in the background, so that whoever asks is
answered at once whatever hangs. A probe that does not come back is itself a finding.

A daemon is *up*, *degraded* (it serves; something is slow or missing, and the reason says what) or *down* (it cannot
do its work now). Degraded keeps it in service: load balancers take a daemon out only when it is down.
"""

from __future__ import annotations

import functools
import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from compute import concurrency, exception, metrics
from compute.lag import LAG

LOG = logging.getLogger(__name__)
UP, DEGRADED, DOWN = 'up', 'degraded', 'down'
STATES = (UP, DEGRADED, DOWN)
_FULL = 0.9
_RARELY = 12


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a probe says. ``reason`` is for operators and empty when it is up; ``value`` is in the unit of ``unit``."""

    probe: str
    state: str = UP
    reason: str = ''
    value: float | None = None
    unit: str = 's'


class Probe:
    """One thing to look at.

    :param look: returns a number (None: nothing to measure); raises ComputeError or OSError when it does not work.
    :param failing: the state when it does not work.
    :param slow_above: a number above it means degraded, with ``reason`` (which may have ``{value}`` in it).
    :param public: what tenants are told when it is down: short, and the same whatever went wrong.
    :param quick: ``look`` never waits, so it runs when somebody asks.
    :param patience: seconds after which a look that has not come back counts as failing.
    :param rarely: looked at twelve times less often: it costs others something.
    """

    def __init__(self, name: str, look: Callable[[], float | None], *, failing: str = DEGRADED,
                 slow_above: float | None = None, reason: str = '', unit: str = 's', public: str = '',
                 quick: bool = False, patience: float = 10.0, rarely: bool = False) -> None:
        self.name, self._look, self.failing, self.quick, self.rarely = name, look, failing, quick, rarely
        self._slow_above, self._reason, self._unit = slow_above, reason or f'{name} is slow', unit
        self.public, self._patience = public or name, patience
        self._last: Finding | None = None
        self._begun: float | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Look, unless an earlier look has not come back."""
        with self._lock:
            if self._begun is not None:
                return
            self._begun = time.monotonic()
        try:
            last = self._finding()
            if self._last is not None and last.state != self._last.state:
                LOG.log(logging.INFO if last.state == UP else logging.WARNING, 'health: %s is %s (was %s) %s',
                        self.name, last.state, self._last.state, last.reason)
            self._last = last
        finally:
            self._begun = None

    def _finding(self) -> Finding:
        try:
            value = self._look()
        except (exception.ComputeError, OSError) as error:
            return Finding(probe=self.name, state=self.failing, reason=_text(error), unit=self._unit)
        except Exception as error:
            LOG.exception('probe %s broke', self.name)
            return Finding(probe=self.name, state=self.failing, reason=f'it broke with {type(error).__name__}',
                           unit=self._unit)
        if value is not None and self._slow_above is not None and value > self._slow_above:
            return Finding(probe=self.name, state=DEGRADED, reason=self._reason.format(value=value), value=value,
                           unit=self._unit)
        return Finding(probe=self.name, value=value, unit=self._unit)

    def finding(self) -> Finding | None:
        """Return what is known now, without waiting; None before the first look has come back."""
        if self.quick:
            return self._finding()
        begun = self._begun
        waited = time.monotonic() - begun if begun is not None else 0.0
        if waited > self._patience:
            return Finding(probe=self.name, state=self.failing, value=waited, unit='s',
                           reason=f'it has not answered for {waited:.0f} s')
        return self._last


@dataclass(frozen=True, kw_only=True)
class Report:
    """All findings of a daemon. Its state is the worst of them."""

    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> str:
        """``up``, ``degraded`` or ``down``."""
        return max((finding.state for finding in self.findings), key=STATES.index, default=UP)

    def reasons(self, *states: str) -> list[str]:
        """Return a sentence for each finding of these states."""
        return [f'{finding.probe}: {finding.reason}' for finding in self.findings
                if finding.state in (states or (DEGRADED, DOWN))]

    def to_wire(self) -> dict[str, Any]:
        """Return it as it is stored with a heartbeat: the state, what is not up, and the version that runs."""
        return {'state': self.state, 'release': release(), 'reasons': [
            {'probe': finding.probe, 'state': finding.state, 'reason': finding.reason[:300], 'value': finding.value,
             'unit': finding.unit} for finding in self.findings if finding.state != UP][:20]}


class Health:
    """The probes of one daemon. Every daemon has those of the process: its pools, and how late its timers fire."""

    def __init__(self, probes: Iterable[Probe], interval: float = 5.0) -> None:
        self.probes = (*process_probes(), *probes)
        self._slow = [probe for probe in self.probes if not probe.quick]
        self._ticker = concurrency.Periodic(self._tick, min(1.0, interval), name='health')
        self._interval = interval
        self._looked: dict[str, float] = {}

    def start(self) -> Health:
        """Begin to look."""
        self._ticker.start()
        return self

    def stop(self) -> None:
        """Look no more; what was found stays."""
        self._ticker.stop()

    def report(self) -> Report:
        """Return what is known now; never waits."""
        return Report(findings=tuple(finding for probe in self.probes if (finding := probe.finding()) is not None))

    def problems(self) -> list[str]:
        """Return what keeps the daemon from doing its work, one sentence each."""
        return self.report().reasons(DOWN)

    def public_problems(self) -> list[str]:
        """Return the same for people who may not know what is inside."""
        return [probe.public for probe in self.probes
                if (finding := probe.finding()) is not None and finding.state == DOWN]

    def look_now(self) -> Report:
        """Run every probe here and wait for it: for tests and tools."""
        for probe in self._slow:
            probe.run()
        return self.report()

    def _tick(self) -> None:
        now = time.monotonic()
        for probe in self._slow:
            spacing = self._interval * (_RARELY if probe.rarely else 1)
            found = probe.finding()
            if found is not None and found.state != UP:
                spacing = min(spacing, max(1.0, spacing / _RARELY))  # what is back is to be known soon
            if now - self._looked.get(probe.name, -1e9) >= spacing:
                self._looked[probe.name] = now
                concurrency.spawn(probe.run, name=f'probe-{probe.name}')


@functools.cache
def release() -> str:
    """Return the version of the installed package."""
    try:
        return metadata.version('compute')
    except metadata.PackageNotFoundError:
        return '0'


def merged(reports: Iterable[Report]) -> Report:
    """Return the report of a process with several daemons: one finding for each probe, the worst."""
    worst: dict[str, Finding] = {}
    for report in reports:
        for finding in report.findings:
            known = worst.get(finding.probe)
            if known is None or STATES.index(finding.state) > STATES.index(known.state):
                worst[finding.probe] = finding
    return Report(findings=tuple(worst.values()))


def samples(report: Report) -> Iterator[metrics.Sample]:
    """Say as metrics how a process is."""
    yield 'compute_health', STATES.index(report.state), ()
    for finding in report.findings:
        yield 'compute_probe', STATES.index(finding.state), (finding.probe,)
        if finding.value is not None:
            yield 'compute_probe_value', finding.value, (finding.probe,)


class Several:
    """The health of a daemon that acts as several hosts."""

    def __init__(self, parts: Iterable[Health]) -> None:
        self._parts = tuple(parts)

    def report(self) -> Report:
        """Return the worst of each probe."""
        return merged(part.report() for part in self._parts)


# -- what every process has --

def process_probes() -> tuple[Probe, ...]:
    """Return the probes of the process itself."""
    return (
        Probe('threads', LAG.recent, slow_above=LAG.warn_after, quick=True,
              reason='something held up every thread for {value:.1f} s'),
        Probe('pools', _fullest, slow_above=_FULL, quick=True, unit='ratio',
              reason='a pool of threads is full to {value:.0%}'))


def _fullest() -> float:
    return max((pool.pending / pool.limit for pool in concurrency.pools()), default=0.0)


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    """Return a look that calls ``function`` and measures how long that took."""
    def look() -> float:
        begin = time.perf_counter()
        function()
        return time.perf_counter() - begin
    return look


def writable(name: str, folder: str, *, failing: str = DEGRADED, public: str = '') -> Probe:
    """Return a probe that writes a small file in a folder and removes it."""
    def look() -> float:
        begin = time.perf_counter()
        concurrency.offload(_write, folder)
        return time.perf_counter() - begin
    return Probe(name, look, failing=failing, slow_above=2.0, reason=f'writing to {folder} took {{value:.1f}} s',
                 public=public)


def _write(folder: str) -> None:
    # Without a name and without a buffer: nothing is left of it when the disk is full, or when we are killed just now.
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        file.write(b'x' * 512)
        os.fsync(file.fileno())


def _text(error: Exception) -> str:
    return str(getattr(error, 'message', None) or getattr(error, 'strerror', None) or error)
