"""How cost grows: reads and creations with up to 10,000 servers, decisions with up to 10,000 hosts.

In one process, without network: the processor time of one call is what the code costs, whatever else runs. Servers and
hosts are put into a store on SQLite by SQL. Every figure is the median of some runs, with the least and the most.
"""

from __future__ import annotations

import argparse

from measure import spread, table
from tree import ROOT, Missing, Runner, running

SERVERS = ('show', 'list', 'detail', 'page', 'create')
HOSTS = ('decision', 'apart', 'refused', 'look', 'select')


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('--servers', type=int, nargs='*', default=[1, 10, 100, 1000, 10000])
    parser.add_argument('--hosts', type=int, nargs='*', default=[10, 100, 1000, 10000])
    parser.add_argument('--runs', type=int, default=5, help='runs of each (%(default)s)')
    parser.add_argument('--seconds', type=float, default=0.5, help='length of a run (%(default)s)')


def run(options: argparse.Namespace) -> int:
    """Measure and print; return 1 if something cannot be run."""
    failed = False
    for noun, names, sizes in (('servers', SERVERS, options.servers), ('hosts', HOSTS, options.hosts)):
        if not sizes:
            continue
        rows = []
        with running(ROOT) as runner:
            for name in names:
                try:
                    rows.append([name, *_row(runner, name, sizes, options)])
                except Missing as error:
                    failed = True
                    rows.append([name, str(error)[:100], *[''] * (len(sizes) - 1)])
        print(table(f'processor time of one call in ms, by number of {noun}: median (least-most) of '
                    f'{options.runs} runs', ['what', *map(str, sizes)], rows), flush=True)
    return 1 if failed else 0


def _row(runner: Runner, name: str, sizes: list[int], options: argparse.Namespace) -> list[str]:
    return [spread([runner.run(name, size, options.seconds)['cpu'] for _ in range(options.runs)]) for size in sizes]
