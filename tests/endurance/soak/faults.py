"""What goes wrong in a soak, in a random order that a seed repeats, each for some seconds under full load.

A ``Trouble`` is a fault as in ``tests/real/faults``, with no points, and says what users may notice while it lasts and
for ``GRACE`` seconds after: nothing, unless ``shakes`` names requests; then 503 or a
broken connection, never another answer. What operations may end with is in the fault's ``may_fail``, by the ledger's
kinds.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from compute.objects.value import now
from tests.endurance.soak.bed import ALONE, NODES, SoakBed
from tests.endurance.soak.journal import Failure
from tests.real.cluster import wait_for
from tests.real.faults.bad_image_service import BadImageService
from tests.real.faults.rows import Fault
from tests.real.faults.table import DOWN, LEASE, MINUTE, elapse, killed

LOG = logging.getLogger(__name__)
GRACE = 5.0
EVERY = 20.0
"""Seconds between the beginnings of two faults."""
_TAIL = {'host_down': 30.0}
"""Seconds after a fault for which an operation may still end with a code."""
_TIME = 600
"""Seconds that a soak has to last for slow faults."""
_ANY = '.*'
_QUEUES = ('conductor', 'scheduler', *(f'worker.{node}' for node in NODES.values()))
Act = Callable[[SoakBed], Any]


@dataclass(frozen=True)
class Trouble:
    """``shakes``: a pattern of requests and the API that was asked, as in ``boot@compute2``.

    ``early``: it ends a daemon that is alone, so it comes in the first half of a soak only; ``slow``: it comes only
    in a soak that has time for it.
    """

    fault: Fault
    shakes: str = ''
    early: bool = False
    slow: bool = False

    @property
    def name(self) -> str:
        """How the report names it."""
        return self.fault.name

    def excuses(self, failure: Failure) -> bool:
        """Tell whether it may be why a request was not answered well."""
        fits = re.fullmatch(self.shakes, f'{failure.request}@{failure.service}')
        broken = not failure.what[:1].isdigit() or failure.what.startswith('503') or '_in_use' in failure.what
        return fits is not None and broken


def _during(name: str, inject: Act, lift: Act, seconds: float = 0.0, shakes: str = '', **more: Any) -> Trouble:
    return Trouble(Fault(name, lambda bed, points: inject(bed), lift, **more,  # type: ignore[arg-type]
                         meanwhile=lambda bed, points: elapse(seconds)), shakes)


def _kill(name: str, shakes: str = '') -> Trouble:
    return Trouble(killed(name, 3.0), shakes, early=name in ALONE)


def _paused(name: str, seconds: float, **more: Any) -> Trouble:
    return _during(f'{name} paused for {seconds:.0f} s', lambda bed: bed.pause(name), lambda bed: bed.resume(name),
                   seconds, **more)


def _switched(name: str, switch: str, value: str = '', seconds: float = 8.0, **more: Any) -> Trouble:
    return _during(name, lambda bed: bed.points.switch(switch, value), lambda bed: bed.points.off(switch), seconds,
                   **more)


def _replaced() -> Trouble:
    """A second process acts as the host of a paused one, which is refused when it wakes, and ends itself."""
    def inject(bed: SoakBed) -> None:
        bed.pause('worker3')
        bed.add('worker9', host=NODES['worker3']).start()

    def check(bed: Any) -> list[str]:
        old = bed['worker3'].process
        try:
            wait_for(lambda: old.poll() is not None, 30, 'its end')
        except AssertionError:
            return ['the worker that was replaced goes on']
        return []

    def clean(bed: Any) -> None:
        bed.kill('worker9')
        del bed.daemons['worker9']
        if bed['worker3'].process.poll() is None:
            bed.kill('worker3')
        bed.begin('worker3')
    return _during('worker3 paused, and replaced', inject, lambda bed: bed.resume('worker3'), 2, check=check,
                   clean=clean)


def _purged() -> Trouble:
    """All that waits is lost, again and again, also calls that somebody waits for."""
    def meanwhile(bed: SoakBed, points: list[Any]) -> None:
        for _ in range(20):
            bed.broker.purge(_QUEUES)
            elapse(0.2)
    return Trouble(Fault('queues purged, for 4 s', inject=lambda bed, points: None, lift=lambda bed: None,
                         meanwhile=meanwhile))  # type: ignore[arg-type]


def _cut() -> Trouble:
    def meanwhile(bed: SoakBed, points: list[Any]) -> None:
        for _ in range(8):
            bed.mariadb.cut_connections()
            elapse(0.5)
    return Trouble(Fault('database connections cut', inject=lambda bed, points: None, lift=lambda bed: None,
                         meanwhile=meanwhile), _ANY)  # type: ignore[arg-type]


def _bad_images() -> Trouble:
    servers: list[BadImageService] = []

    def inject(bed: SoakBed) -> None:
        bed.kill('image')
        servers.append(BadImageService(bed.ports['image']))
        elapse(3)
        servers[-1].hangs.set()

    def lift(bed: SoakBed) -> None:
        servers.pop().stop()
        bed.begin('image')
    return dataclasses.replace(_during('image service answers 500, then hangs', inject, lift, 3, 'boot@.*'), early=True)


_DISK = dict.fromkeys(('start', 'reboot', 'reboot_hard'), ('disk_full',))
_HOST_GONE = dict.fromkeys(('start', 'stop', 'reboot', 'reboot_hard'), DOWN)
TROUBLES: tuple[Trouble, ...] = (
    _kill('conductor2'), _kill('scheduler2'), _kill('api2', '.*@compute2'), _kill('network_agent2'), _kill('worker2'),
    _kill('identity', _ANY), _kill('image', 'boot@.*'), _kill('network', _ANY),
    _paused('conductor2', LEASE + 3), _paused('scheduler2', LEASE + 3), _paused('worker3', LEASE + 3),
    dataclasses.replace(_paused('worker2', 26, may_fail=_HOST_GONE), slow=True), _replaced(),
    _during('broker killed', lambda bed: bed.broker.kill(), lambda bed: bed.broker.start(), 3),
    _during('broker frozen', lambda bed: bed.broker.pause(), lambda bed: bed.broker.resume(), 6),
    _purged(), _switched('messages delivered three times', 'doubled'),
    _during('database killed', lambda bed: bed.mariadb.kill(), lambda bed: bed.mariadb.start(), 3, _ANY),
    _during('database frozen', lambda bed: bed.mariadb.pause(), lambda bed: bed.mariadb.resume(), 6, _ANY),
    _cut(), _switched('connection lost at commits', 'commits-lost', seconds=6, shakes=_ANY),
    _switched('disk full on a host', 'disk-full-worker3', may_fail=_DISK), _bad_images(),
    _switched('clock of a host ahead by a minute', 'clock-worker2', str(MINUTE)),
    _switched('clock of a host behind by a minute', 'clock-worker2', str(-MINUTE)),
)


@dataclass
class Happened:
    """When a fault was there."""

    trouble: Trouble
    begin: datetime.datetime
    end: datetime.datetime
    wrong: list[str] = field(default_factory=list)

    def excuses(self, failure: Failure) -> bool:
        """Tell whether a request fell into its time, and may have been hit by it."""
        end = self.end + datetime.timedelta(seconds=GRACE)
        return self.begin <= failure.end and failure.begin <= end and self.trouble.excuses(failure)

    def allows(self, kind: str, code: str, begin: datetime.datetime, end: datetime.datetime) -> bool:
        """Tell whether an operation of that time may have ended with a code because of it."""
        last = self.end + datetime.timedelta(seconds=_TAIL.get(code, GRACE))
        return self.begin <= end and begin <= last and code in self.trouble.fault.may_fail.get(kind, ())


def order(seed: int, seconds: float) -> Iterator[Trouble]:
    """Yield faults for ever: each once in a random order, then again in another one.

    Daemons that are alone are ended in the first half of ``seconds`` only, so that their memory can be judged.
    """
    dice, begin = random.Random(seed), time.monotonic()
    while True:
        for trouble in dice.sample(TROUBLES, len(TROUBLES)):
            late = time.monotonic() - begin > seconds / 2
            if not (late and trouble.early) and not (seconds < _TIME and trouble.slow):
                yield trouble


def happen(bed: SoakBed, trouble: Trouble) -> Happened:
    """Let a fault happen now, and take it away."""
    LOG.info('fault: %s', trouble.name)
    fault, begin = trouble.fault, now()
    fault.prepare(bed)
    fault.inject(bed, [])
    try:
        fault.meanwhile(bed, [])
    finally:
        fault.lift(bed)
    wrong = fault.check(bed)
    fault.clean(bed)
    wrong += [f'{name} has ended by itself: {daemon.said()[-1000:]}' for name, daemon in bed.daemons.items()
              if daemon.process is None or daemon.process.poll() is not None]
    return Happened(trouble, begin, now(), [f'{trouble.name}: {each}' for each in wrong])
