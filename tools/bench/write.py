"""Measures the way of writes: boots and deletes, many at once and one by one, and what one of each costs in CPU.

For each part of a run: the rate, the times of answers and to ACTIVE, then milliseconds of CPU for one server by program
(the client included) and statements of the database. On a busy machine only the CPU columns can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import time

from client import Session
from cloud import Cloud
from measure import Times, milliseconds, table
from spent import Meter, Spent
from tree import ROOT

PROGRAMS = ('client', 'api', 'conductor', 'scheduler', 'worker', 'network', 'network-agent', 'image', 'identity',
            'rabbitmq', 'mariadb')


class Part:
    """One line of the tables."""

    def __init__(self, name: str, count: int, spent: Spent, times: Times, active: Times | None = None) -> None:
        self.name, self.count, self.spent, self.times, self.active = name, count, spent, times, active

    def wall(self) -> list[str]:
        """Return the cells of the table of times."""
        shown = self.active or self.times
        return [self.name, str(self.count), str(self.times.failed + (self.active.failed if self.active else 0)),
                f'{shown.total:.2f}', f'{len(shown.calls) / shown.total if shown.total else 0:.1f}',
                milliseconds(self.times.at(0.5)), milliseconds(self.times.at(0.95)),
                *([milliseconds(self.active.at(0.5)), milliseconds(self.active.at(0.95))] if self.active else ['', ''])]

    def cost(self) -> list[str]:
        """Return the cells of the table of costs."""
        each = [self.spent.seconds.get(name, 0.0) * 1000 / self.count for name in PROGRAMS]
        counts = [self.spent.counts[name] / self.count for name in ('statements', 'commits', 'connects')]
        return [self.name, f'{sum(each):.1f}', *(f'{value:.1f}' for value in [*each, *counts])]


class Bench:
    """Runs parts against one stack."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.cloud, self.meter = Cloud(folder), Meter(folder)
        self.parts: list[Part] = []

    def many(self, count: int, callers: int, wired: bool) -> None:
        """Boot ``count`` servers with ``callers`` at once, then delete them."""
        name = 'one port' if wired else 'no network'
        if wired:
            self.cloud.network()
        before = self.meter.look()
        answered, active, ids = self.cloud.boot(count, callers, wired)
        self._note(f'boot, {name}, {callers} callers', count, before, answered, active)
        before = self.meter.look()
        times = self.cloud.delete(ids, callers)
        self._note(f'delete, {name}, {callers} callers', count, before, times)

    def one_by_one(self, count: int) -> None:
        """Boot one server after the other, each looked at until it is ACTIVE, and delete them so."""
        answered, active, deleted = Times(), Times(), Times()
        before = self.meter.look()
        ids = []
        with Session() as session:
            for number in range(count):
                begin = time.perf_counter()
                ids.append(self._create(session, f'bench-{number}'))
                answered.calls.append(time.perf_counter() - begin)
                while self.cloud.get(session, f'/servers/{ids[-1]}')['server']['status'] == 'BUILD':
                    time.sleep(0.01)
                active.calls.append(time.perf_counter() - begin)
            active.total = sum(active.calls)
            self._note('boot, one caller', count, before, answered, active)
            before = self.meter.look()
            for server in ids:
                begin = time.perf_counter()
                session.send('DELETE', f'{self.cloud.urls["compute"]}/servers/{server}', self.cloud.headers)
                deleted.calls.append(time.perf_counter() - begin)
        self.cloud.none_left(count)
        deleted.total = sum(deleted.calls)
        self._note('delete, one caller', count, before, deleted)

    def at_once(self, count: int) -> None:
        """Boot ``count`` servers with one request."""
        answered, active = Times(), Times()
        before = self.meter.look()
        with Session() as session:
            begin = time.perf_counter()
            self._create(session, 'bench-multi', min_count=count)
            answered.calls.append(time.perf_counter() - begin)
            path = f'/servers?status=ACTIVE&name=bench-multi&limit={count}'
            while len(self.cloud.get(session, path)['servers']) < count and time.perf_counter() - begin < 120:
                time.sleep(0.05)
            active.total = time.perf_counter() - begin
            active.calls = [active.total] * count
            self._note(f'boot, min_count={count}', count, before, answered, active)
            rows = self.cloud.get(session, f'/servers?name=bench-multi&limit={count}')['servers']
        self.cloud.delete([each['id'] for each in rows], 4)

    def _create(self, session: Session, name: str, **more: object) -> str:
        server = {'flavorRef': self.cloud.flavor, 'imageRef': self.cloud.image, 'networks': 'none', 'name': name}
        _, content = session.send('POST', f'{self.cloud.urls["compute"]}/servers', self.cloud.headers,
                                  {'server': {**server, **more}})
        return str(json.loads(content)['server']['id'])

    def _note(self, name: str, count: int, before: Spent, times: Times, active: Times | None = None) -> None:
        self.parts.append(Part(name, count, self.meter.look().since(before), times, active))

    def show(self) -> None:
        """Print both tables."""
        print(table('time', ['what', 'servers', 'failed', 'seconds', 'per second', 'answer p50 ms', 'p95 ms',
                             'ACTIVE p50 ms', 'p95 ms'], [part.wall() for part in self.parts]))
        print(table('milliseconds of CPU, and statements, for one server', [
            'what', 'all', *PROGRAMS, 'statements', 'commits', 'connects'], [part.cost() for part in self.parts]),
              flush=True)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('--stack', type=pathlib.Path, default=os.environ.get('STACK_DIR', ROOT / '.stack'))
    parser.add_argument('--servers', type=int, default=200, help='servers of each part (%(default)s)')
    parser.add_argument('--callers', type=int, default=16, help='callers at once (%(default)s)')
    parser.add_argument('--parts', nargs='*', default=['warm', 'none', 'port', 'one', 'multi'],
                        help='warm none port one multi (all)')


def run(options: argparse.Namespace) -> int:
    """Measure."""
    bench = Bench(pathlib.Path(options.stack))
    for part in options.parts:
        if part == 'warm':
            bench.many(min(40, options.servers), options.callers, False)
            bench.parts.clear()
        elif part in ('none', 'port'):
            bench.many(options.servers, options.callers, part == 'port')
        elif part == 'one':
            bench.one_by_one(min(50, options.servers))
        elif part == 'multi':
            bench.at_once(100)
    bench.show()
    return 0
