#!/usr/bin/env python3
"""Measures a stack of fake hosts: boots, reads, lists, decisions, memory. Prints a table for each.

    tools/stack.sh --cluster --fake --hosts 100
    .stack/venv/bin/python tools/bench/run.py

Or all of it at once, in a stack of its own that is removed afterwards: tools/bench/run.sh. The client runs on the same
machine and shares its processors. Servers become ACTIVE in a list that is read every 0.1 s, so those times are up to
0.1 s (and the time of one list) too long.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Iterator

from cloud import Cloud
from measure import Times, milliseconds, table, together

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def boot(cloud: Cloud, options: argparse.Namespace) -> list[str]:
    """Boot servers without and with a network; leave the second lot and return its ids."""
    rows, ids = [], []
    for name, wired, count in (('no network', False, options.servers // 4), ('one port', True, options.servers)):
        answered, active, ids = cloud.boot(count, options.callers, wired)
        rows.append([name, str(count), str(active.failed), f'{active.rate:.1f}', milliseconds(answered.at(0.5)),
                     milliseconds(answered.at(0.95)), milliseconds(active.at(0.5)), milliseconds(active.at(0.95))])
        if not wired:
            deleted = cloud.delete(ids, options.callers)
            rows.append(['delete those', str(count), str(deleted.failed), f'{deleted.rate:.1f}',
                         milliseconds(deleted.at(0.5)), milliseconds(deleted.at(0.95)), '', ''])
    print(table(f'boot: {options.callers} callers', [
        'what', 'servers', 'failed', 'per second', 'answer p50 ms', 'p95 ms', 'ACTIVE p50 ms', 'p95 ms'], rows),
          flush=True)
    return ids


def read(cloud: Cloud, ids: list[str], options: argparse.Namespace) -> None:
    """Read one server, and log in, for some seconds each."""
    rows = []
    for callers in (1, options.callers):
        times = together(callers, lasting(options.seconds, itertools.cycle(ids)),
                         lambda session, server: cloud.get(session, f'/servers/{server}'))
        rows.append(row(f'GET one server, {callers} callers', times))
        times = together(callers, lasting(options.seconds, itertools.repeat('')),
                         lambda session, _: cloud.log_in(session))
        rows.append(row(f'POST a token, {callers} callers', times))
    print(table('read', ['what', 'calls', 'failed', 'per second', 'p50 ms', 'p95 ms', 'p99 ms'], rows), flush=True)


def listing(cloud: Cloud, options: argparse.Namespace) -> None:
    """List servers, in short and in detail."""
    rows = []
    for path in ('/servers?limit=1000', '/servers/detail?limit=1000', '/servers/detail?limit=20'):
        shown = 0

        def call(session: object, path: str) -> None:
            nonlocal shown
            shown = len(cloud.get(session, path)['servers'])  # type: ignore[arg-type]
        times = together(1, [path] * options.lists, call)
        rows.append([*row(path, times), str(shown)])
    print(table('list: 1 caller', [
        'what', 'calls', 'failed', 'per second', 'p50 ms', 'p95 ms', 'p99 ms', 'shown'], rows), flush=True)


def lasting(seconds: float, items: Iterator[str]) -> Iterator[str]:
    """Yield items for some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield next(items)


def row(name: str, times: Times) -> list[str]:
    """Return the cells of one line."""
    return [name, str(len(times.calls)), str(times.failed), f'{times.rate:.1f}', milliseconds(times.at(0.5)),
            milliseconds(times.at(0.95)), milliseconds(times.at(0.99))]


def schedule(options: argparse.Namespace) -> None:
    """Time decisions alone."""
    print('schedule: in one process, on SQLite', flush=True)
    subprocess.run([sys.executable, str(ROOT / 'tools' / 'bench' / 'schedule.py'), '--hosts',
                    *map(str, options.schedule_hosts)], check=True)
    print()


def memory(folder: pathlib.Path) -> None:
    """Print what each process of the stack takes."""
    told = subprocess.run([sys.executable, str(ROOT / 'tools' / 'supervise'), '--dir', str(folder / 'run'), '--json',
                           'status'], capture_output=True, text=True, check=True).stdout
    rows, total = [], 0
    for program in json.loads(told)['programs']:
        if program['pid']:
            lines = pathlib.Path(f'/proc/{program["pid"]}/status').read_text().splitlines()
            values = dict(line.split(':', 1) for line in lines)
            resident = int(values['VmRSS'].split()[0]) / 1024
            total += int(resident)
            rows.append([program['name'], f'{resident:.0f}', f'{int(values["VmHWM"].split()[0]) / 1024:.0f}'])
    print(table('memory', ['program', 'RSS MiB', 'peak MiB'], [*rows, ['all', str(total), '']]), flush=True)


def main() -> int:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--stack', type=pathlib.Path, default=os.environ.get('STACK_DIR', ROOT / '.stack'))
    parser.add_argument('--servers', type=int, default=1000, help='servers to boot with a network (%(default)s)')
    parser.add_argument('--callers', type=int, default=16, help='callers at once (%(default)s)')
    parser.add_argument('--seconds', type=float, default=8, help='how long each read lasts (%(default)s)')
    parser.add_argument('--lists', type=int, default=20, help='how often each list is read (%(default)s)')
    parser.add_argument('--schedule-hosts', type=int, nargs='*', default=[100, 1000], help='sizes for the scheduler')
    options = parser.parse_args()
    print(f'{os.cpu_count()} processors, Python {platform.python_version()}, {time.strftime("%Y-%m-%d %H:%M")}\n',
          flush=True)
    cloud = Cloud(pathlib.Path(options.stack))
    ids = boot(cloud, options)
    read(cloud, ids, options)
    listing(cloud, options)
    memory(pathlib.Path(options.stack))
    if options.schedule_hosts:
        schedule(options)
    return 0


if __name__ == '__main__':
    sys.exit(main())
