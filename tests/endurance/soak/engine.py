"""A soak from start to end: load and faults for some minutes, then everything settles and is looked at.

``python -m tests.endurance.soak`` and ``tests/endurance/test_soak.py`` run it; ``judge`` says what is wrong with what
was seen.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.endurance.soak.bed import SoakBed
from tests.endurance.soak.faults import EVERY, Happened, happen, order
from tests.endurance.soak.journal import Journal
from tests.endurance.soak.users import User
from tests.endurance.soak.watch import Seen, Watch
from tests.functional.standalone import ROOT
from tests.real.cluster import wait_for
from tests.real.faults.audit import violations

LOG = logging.getLogger(__name__)
USERS = 20
SETTLE = 60
_MANAGE = 'import sys; from compute.cmd.manage import main; sys.exit(main())'


@dataclass
class Soak:
    """What was done and seen. ``settled``: what still did not agree ``SETTLE`` seconds after the load."""

    seed: int
    seconds: float
    journal: Journal
    happened: list[Happened] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    settled: list[str] = field(default_factory=list)
    settled_after: float = 0.0
    audit: dict[str, Any] = field(default_factory=dict)
    audited: int = 0
    log: list[str] = field(default_factory=list)


def soak(bed: SoakBed, seconds: float, seed: int) -> Soak:
    """Load a cluster that runs for some seconds, with a fault every ``EVERY`` of them; let it settle and audit it."""
    result = Soak(seed, seconds, Journal())
    watch = Watch(bed, 2.5 if seconds < 600 else 10)
    users = [User(number, bed, result.journal, seed) for number in range(USERS)]
    watch.start()
    try:
        with _running(users):
            _faults(bed, result)
        _settle(bed, users, result)
        watch.look()
        _audit(bed, result)
    finally:
        watch.stop()
        result.seen = watch.seen
    return result


@contextmanager
def _running(users: list[User]) -> Iterator[None]:
    stop = threading.Event()
    threads = [threading.Thread(target=user.run, args=(stop,), daemon=True) for user in users]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)


def _faults(bed: SoakBed, result: Soak) -> None:
    """Let faults happen until the time is over; the last one has time to be taken away."""
    begin = time.monotonic()
    troubles, slot = order(result.seed, result.seconds), 1
    while slot * EVERY < result.seconds - EVERY / 2:
        _until(begin + slot * EVERY)
        result.happened.append(happen(bed, next(troubles)))
        slot = max(slot + 1, int((time.monotonic() - begin) / EVERY) + 1)
    _until(begin + result.seconds)


def _until(moment: float) -> None:
    if (left := moment - time.monotonic()) > 0:
        wait_for(lambda: time.monotonic() >= moment, left + 5, 'the time')


def _settle(bed: SoakBed, users: list[User], result: Soak) -> None:
    """Wait until everything agrees and every user has seen the end of what it asked for."""
    begin = time.monotonic()

    def agrees() -> bool:
        for user in users:
            user.look()
        result.settled = [f'nobody saw the end of {mine}' for user in users for mine in user.busy()] or violations(bed)
        return not result.settled
    try:
        wait_for(agrees, SETTLE, 'agreement')
    except AssertionError:
        LOG.warning('it does not settle: %s', result.settled)
    result.settled_after = time.monotonic() - begin


def _audit(bed: SoakBed, result: Soak) -> None:
    """Let the product audit itself, as an operator does."""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', _MANAGE, '--config-file', str(bed['conductor'].conf),
                           'audit', '--json', '--pause', '2'], capture_output=True, text=True, timeout=120, cwd=ROOT,
                          check=False)
    result.audited = done.returncode
    try:
        result.audit = json.loads(done.stdout)
    except ValueError:
        result.audit = {'output': done.stdout, 'errors': done.stderr[-3000:]}


@contextmanager
def bed(folder: Path, concurrency: str, debug: bool = False) -> Iterator[SoakBed]:
    """Start a cluster, and remove it at the end."""
    it = SoakBed(folder, concurrency, debug)
    try:
        it.start()
        yield it
    finally:
        it.remove()
