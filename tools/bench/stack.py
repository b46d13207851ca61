"""Measures a stack of fake hosts over HTTP: boots, reads, lists, memory. Prints a table for each.

    tools/stack.sh --cluster --fake --hosts 6
    python tools/bench stack

Or all of it at once, in a stack of its own that is removed afterwards: tools/bench/run.sh. The client runs on this
machine and shares its processors. Servers become ACTIVE in a list that is read every 0.1 s, so those times are up to
0.1 s (and the time of one list) too long. ``--seed`` puts further servers into the store by SQL, for long lists.
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import footprint
from client import Session
from cloud import Cloud
from measure import Times, milliseconds, spread, table, together
from seed import seeded
from tree import ROOT


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('--stack', type=pathlib.Path, default=os.environ.get('STACK_DIR', ROOT / '.stack'))
    parser.add_argument('--servers', type=int, default=200, help='servers to boot with a network (%(default)s)')
    parser.add_argument('--seed', type=int, default=1000, help='servers of the lists, put there by SQL (%(default)s)')
    parser.add_argument('--callers', type=int, default=16, help='callers at once (%(default)s)')
    parser.add_argument('--seconds', type=float, default=4, help='how long each run of a read lasts (%(default)s)')
    parser.add_argument('--lists', type=int, default=10, help='how often each list is read in a run (%(default)s)')
    parser.add_argument('--runs', type=int, default=5, help='runs of each figure (%(default)s)')
    parser.add_argument('--skip', nargs='*', choices=['boot', 'read', 'list', 'memory'], default=[])


def run(options: argparse.Namespace) -> int:
    """Measure."""
    if 'memory' not in options.skip:
        options.pid = None
        print('idle, before any load')
        footprint.run(options)
    cloud = Cloud(pathlib.Path(options.stack))
    if 'boot' not in options.skip:
        boot(cloud, options)
    with seeded(cloud, pathlib.Path(options.stack), options.seed) as ids:
        if 'read' not in options.skip:
            read(cloud, ids, options)
        if 'list' not in options.skip:
            listing(cloud, options)
    if 'memory' not in options.skip:
        print('after the load')
        footprint.run(options)
    return 0


def boot(cloud: Cloud, options: argparse.Namespace) -> None:
    """Boot servers with a network and delete them, some times."""
    rounds = []
    for _ in range(options.runs):
        answered, active, ids = cloud.boot(options.servers, options.callers, wired=True)
        rounds.append((answered, active, cloud.delete(ids, options.callers)))
    rows = [
        ['answer to POST', *_cells([answered for answered, _, _ in rounds])],
        ['POST to ACTIVE', *_cells([active for _, active, _ in rounds])],
        ['DELETE to gone', *_cells([gone for _, _, gone in rounds])]]
    print(_table(f'{options.servers} servers with a port, {options.callers} callers', rows, options), flush=True)


def read(cloud: Cloud, ids: list[str], options: argparse.Namespace) -> None:
    """Read one server, and log in, for some seconds each."""
    rows, api = [], Watched(options.stack)
    for callers in (1, options.callers):
        for name, items, call in (
                (f'GET one server, {callers} callers', itertools.cycle(ids),
                 lambda session, server: cloud.fetch(session, f'/servers/{server}')),
                (f'POST a token, {callers} callers', itertools.repeat(''),
                 lambda session, _: cloud.log_in(session))):
            rounds = _repeated(options, callers, items, call)
            rows.append([name, *_cells(rounds)])
            api.note(name, sum(len(times.calls) for times in rounds))
    api.show()
    print(_table('read', rows, options), flush=True)


def listing(cloud: Cloud, options: argparse.Namespace) -> None:
    """List servers, in short and in detail, with one caller."""
    rows, api = [], Watched(options.stack)
    for path in ('/servers?limit=1000&all_tenants=1', '/servers/detail?limit=1000&all_tenants=1',
                 '/servers/detail?limit=20&all_tenants=1'):
        shown = len(cloud.get(cloud.session, path)['servers'])
        api.note('', 1)
        times = [together(1, [path] * options.lists, cloud.fetch) for _ in range(options.runs)]
        rows.append([f'{path} shows {shown}', *_cells(times)])
        api.note(path, options.runs * options.lists)
    api.show()
    print(_table('list: 1 caller', rows, options), flush=True)


class Watched:
    """Tells what processor time the programs of a stack spent on calls, which noise leaves alone."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._pids = footprint.programs(folder)
        self._before = self._spent()
        self._rows: list[list[str]] = []

    def note(self, name: str, calls: int) -> None:
        """Keep what was spent since the last time, on this many calls; without a name forget it."""
        spent = self._spent()
        if name:
            parts = {program: (spent[program] - self._before[program]) / max(calls, 1) for program in spent}
            most = sorted(parts.items(), key=lambda pair: -pair[1])[:4]
            self._rows.append([name, milliseconds(sum(parts.values())), ', '.join(
                f'{program} {milliseconds(seconds)}' for program, seconds in most if seconds > 0.00005)])
        self._before = spent

    def show(self) -> None:
        """Print it."""
        print(table('processor time of one call, client not included', ['what', 'ms', 'of it'], self._rows), flush=True)

    def _spent(self) -> dict[str, float]:
        ticks = os.sysconf('SC_CLK_TCK')
        return {name: sum(map(int, pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[11:13]))
                / ticks for name, pid in self._pids.items()}


def _repeated(options: argparse.Namespace, callers: int, items: Iterator[Any],
              call: Callable[[Session, Any], Any]) -> list[Times]:
    return [together(callers, lasting(options.seconds, items), call) for _ in range(options.runs)]


def lasting(seconds: float, items: Iterator[str]) -> Iterator[str]:
    """Yield items for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(items)


def _cells(rounds: Iterable[Times]) -> list[str]:
    rounds = list(rounds)
    return [str(sum(len(times.calls) for times in rounds)), str(sum(times.failed for times in rounds)),
            spread([times.rate for times in rounds], '{:.1f}'.format),
            *(spread([times.at(share) for times in rounds], milliseconds) for share in (0.5, 0.95, 0.99))]


def _table(title: str, rows: list[list[str]], options: argparse.Namespace) -> str:
    return table(f'{title}: median (least-most) of {options.runs} runs', [
        'what', 'calls', 'failed', 'per second', 'p50 ms', 'p95 ms', 'p99 ms'], rows)
