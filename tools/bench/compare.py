"""Compares this tree with another revision in one run, so that a regression is seen on a noisy machine.

Both trees do the same work in turns (A B, B A, ...), a slice each, and what is compared is the processor time of one
call. Each round gives one ratio; the table shows their median and how far they spread. The status is 1 when the median
of a scenario is worse than a tenth and even its best round shows no gain, or when it takes a tenth more memory.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from dataclasses import dataclass

from footprint import DAEMONS, footprint
from measure import milliseconds, table
from tree import ROOT, Missing, Runner, checked_out, running

SCENARIOS = {'show': 1000, 'list': 1000, 'detail': 1000, 'page': 1000, 'create': 100, 'decision': 1000, 'apart': 1000,
             'refused': 1000, 'look': 1000, 'select': 1000}


@dataclass
class Compared:
    """What one call of a scenario took in this tree and in the other, round by round."""

    name: str
    these: list[float]
    those: list[float]

    @property
    def ratios(self) -> list[float]:
        """This tree's part of the other's time: above 1 it is slower."""
        return [this / that for this, that in zip(self.these, self.those, strict=True)]

    def is_worse(self, limit: float) -> bool:
        """Tell whether it is slower by more than ``limit``, and by more than chance."""
        return statistics.median(self.ratios) > 1 + limit and min(self.ratios) > 1


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('revision', help='a revision, or a folder with a tree')
    parser.add_argument('--rounds', type=int, default=5, help='slices of each scenario in each tree (%(default)s)')
    parser.add_argument('--seconds', type=float, default=0.5, help='length of a slice (%(default)s)')
    parser.add_argument('--worse', type=float, default=0.1, help='part that is too much (%(default)s)')
    parser.add_argument('--only', nargs='+', metavar='SCENARIO', choices=[*SCENARIOS, 'memory'], help='not all')


def run(options: argparse.Namespace) -> int:
    """Compare and print; return 1 if something is worse."""
    chosen = options.only or [*SCENARIOS, 'memory']
    with checked_out(options.revision) as other:
        worse = []
        with running(ROOT) as this, running(other) as that:
            rows = []
            for name in [name for name in chosen if name in SCENARIOS]:
                try:
                    found = _turns(name, this, that, options)
                except Missing as error:
                    rows.append([name, '', '', '', '', f'cannot be compared: {error}'[:120]])
                    continue
                rows.append(_row(found, options.worse))
                worse += [name] if found.is_worse(options.worse) else []
        print(table(f'processor time of one call: this tree / {options.revision}, {options.rounds} rounds', [
            'what', 'this ms', 'that ms', 'ratio', 'spread', ''], rows), flush=True)
        if 'memory' in chosen:
            worse += _memory(str(other), options)
    if worse:
        print(f'worse by more than {options.worse:.0%}: {", ".join(worse)}', file=sys.stderr)
    return 1 if worse else 0


def _turns(name: str, this: Runner, that: Runner, options: argparse.Namespace) -> Compared:
    found = Compared(name, [], [])
    for number in range(options.rounds):
        both = [(this, found.these), (that, found.those)]
        for runner, times in both if number % 2 == 0 else reversed(both):
            times.append(runner.run(name, SCENARIOS[name], options.seconds)['cpu'])
    return found


def _row(found: Compared, limit: float) -> list[str]:
    ratios = found.ratios
    return [f'{found.name} ({SCENARIOS[found.name]})', milliseconds(statistics.median(found.these)),
            milliseconds(statistics.median(found.those)), f'{statistics.median(ratios):.2f}',
            f'{min(ratios):.2f}-{max(ratios):.2f}', 'WORSE' if found.is_worse(limit) else '']


def _memory(other: str, options: argparse.Namespace) -> list[str]:
    """Compare what each daemon takes once it is loaded; return those that take too much more."""
    rows, worse = [], []
    for name in DAEMONS:
        this, that = footprint(name, str(ROOT)), footprint(name, other)
        if not this or not that:
            rows.append([name, '', '', 'cannot be compared'])
            continue
        ratio = this['private'] / that['private']
        worse += [f'memory of {name}'] if ratio > 1 + options.worse else []
        rows.append([name, f'{this["private"]:.1f}', f'{that["private"]:.1f}', f'{ratio:.2f}'])
    print(table('private memory once loaded, MiB', ['daemon', 'this', 'that', 'ratio'], rows), flush=True)
    return worse
