"""Runs tiers of tests in lanes side by side and sums up what they found, in the words of pytest.

A tier runs to its end even if another failed. pytest's own reports are kept as JUnit XML, so that the sum is
counted and not guessed from output.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import IO

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# Tiers and their lanes. What is in a lane runs one after the other, lanes run side by side: real tests wait most of the
# time, and leave the processors to the others. Real tests share the machine (libvirt, bridges, systemd) and go one by
# one, but for those of CLUSTERS: each has a cluster of its own, in a folder and on ports of its own (``own_clusters``),
# and for those of STORES, which only use the databases and the broker that ``services.sh`` starts (``only_stores``).
CODE, HOST, CLUSTERS, STORES = 'code', 'host', 'clusters', 'stores'
LANES = {'lint': (CODE,), 'unit': (CODE,), 'contract': (CODE,), 'api': (CODE,), 'functional': (CODE,),
         'real': (HOST, CLUSTERS, STORES), 'endurance': (HOST,)}
# In how many processes a tier runs; a file stays together.
PARALLEL = {'unit': 2, 'contract': 2, 'api': 2, 'functional': 2}
# Tiers whose tests run the code in their own process: it gets the threads that were asked for.
OWN = ('unit', 'contract', 'api')
LINT = ('ruff', 'measures', 'layers', 'mypy')


@dataclass
class Result:
    """What a tier found."""

    tier: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Count what another lane of the same tier found; lanes run side by side, so the longest is the time."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.seconds = max(self.seconds, other.seconds)
        self.broken += other.broken


def lint(output: IO[bytes] | None) -> Result:
    """Run each check as one test."""
    result = Result('lint')
    for check in LINT:
        done = subprocess.run([sys.executable, str(ROOT / 'tools' / 'lint.py'), check], cwd=ROOT, check=False,
                              stdout=output, stderr=output)
        if done.returncode:
            result.failed += 1
            result.broken.append(f'FAILED lint {check}')
        else:
            result.passed += 1
    return result


def pytest_command(tier: str, report: pathlib.Path, paths: list[str]) -> list[str]:
    """Return the command that runs tests of a tier."""
    command = [sys.executable, '-m', 'pytest', *paths, '-q', f'--junitxml={report}', '-p', 'no:cacheprovider',
               '--durations=15', '--durations-min=3']
    concurrency = os.environ.get('COMPUTE_CONCURRENCY')
    if tier in OWN and concurrency:
        command += ['-p', 'tests.patched']
    if tier in PARALLEL and not (tier in OWN and concurrency == 'eventlet'):
        command += ['-n', str(PARALLEL[tier]), '--dist', 'loadfile']  # xdist cannot talk in a process made green
    return command


def own_clusters() -> list[str]:
    """Return the real tests that start services of their own (tests/real/cluster*.py), and need no libvirt."""
    texts = {path: path.read_text() for path in sorted((ROOT / 'tests/real').rglob('test_*.py'))}
    return [str(path.relative_to(ROOT)) for path, text in texts.items()
            if 'tests.real.cluster' in text and 'libvirt' not in text]


def only_stores() -> list[str]:
    """Return the real tests that use the shared databases and the shared broker, and nothing else of the machine."""
    texts = {path: path.read_text() for path in sorted((ROOT / 'tests/real').rglob('test_*.py'))}
    return [str(path.relative_to(ROOT)) for path, text in texts.items()
            if re.search('COMPUTE_TEST_(MYSQL|PG|RABBIT)_URL', text) and 'tests.real.cluster' not in text]


def paths_of(tier: str, lane: str) -> list[str]:
    """Return what of a tier runs in a lane."""
    beside = {CLUSTERS: own_clusters(), STORES: only_stores()} if tier == 'real' else {}
    if lane in beside:
        return beside[lane]
    return [f'tests/{tier}', *(f'--ignore={path}' for paths in beside.values() for path in paths)]


def tests(tier: str, lane: str, reports: pathlib.Path, arguments: list[str], output: IO[bytes] | None) -> Result:
    """Run what of a tier belongs to a lane. ``output``: where to, if not to the terminal."""
    report = reports / f'{tier}-{lane}.xml'
    command = [*pytest_command(tier, report, paths_of(tier, lane)), *arguments]
    status = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False).returncode
    result = counted(tier, report)
    nothing_collected = 5
    if status not in (0, 1, nothing_collected) or (status == 1 and not result.failed):
        result.failed += 1
        result.broken.append(f'FAILED tests/{tier}: pytest ended with status {status}')
    return result


class Lane(threading.Thread):
    """Runs its part of each tier, one after the other. ``quiet``: what it says is shown at its end."""

    def __init__(self, name: str, tiers: list[str], reports: pathlib.Path, arguments: list[str], *,
                 quiet: bool) -> None:
        super().__init__(name=name, daemon=True)
        self.tiers, self._reports, self._arguments = tiers, reports, arguments
        self._output = tempfile.TemporaryFile() if quiet else None
        self.results: list[Result] = []

    def run(self) -> None:
        """Run it."""
        for tier in self.tiers:
            self._say(f'---- {tier} ({self.name}) ----')
            begin = time.monotonic()
            result = lint(self._output) if tier == 'lint' else tests(
                tier, self.name, self._reports, self._arguments, self._output)
            result.seconds = time.monotonic() - begin
            self.results.append(result)

    def _say(self, line: str) -> None:
        if self._output is None:
            print(line, flush=True)
        else:
            self._output.write(f'{line}\n'.encode())
            self._output.flush()

    def show(self) -> None:
        """Print what it kept to itself."""
        if self._output is not None:
            self._output.seek(0)
            sys.stdout.flush()
            shutil.copyfileobj(self._output, sys.stdout.buffer)
            sys.stdout.flush()
            self._output.close()


def run_lanes(tiers: list[str], reports: pathlib.Path, arguments: list[str]) -> list[Result]:
    """Run all lanes side by side; return what each tier found, its lanes together."""
    names = dict.fromkeys(lane for tier in tiers for lane in LANES[tier])
    lanes = [Lane(name, [tier for tier in tiers if name in LANES[tier]], reports, arguments, quiet=number > 0)
             for number, name in enumerate(names)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
        lane.show()
    totals = {tier: Result(tier) for tier in tiers}
    for result in (result for lane in lanes for result in lane.results):
        totals[result.tier].add(result)
    for lane in lanes:  # it ended early, with a traceback
        for tier in lane.tiers[len(lane.results):]:
            totals[tier].failed += 1
            totals[tier].broken.append(f'FAILED {tier}: lane {lane.name} ended early')
    return list(totals.values())


def counted(tier: str, report: pathlib.Path) -> Result:
    """Return what a report counts."""
    result = Result(tier)
    if not report.exists():
        return result
    for case in ElementTree.parse(report).iter('testcase'):
        kinds = {child.tag for child in case}
        if kinds & {'failure', 'error'}:
            result.failed += 1
            result.broken.append(f'FAILED {case.get("classname", "").replace(".", "/")}::{case.get("name")}')
        elif 'skipped' in kinds:
            result.skipped += 1
        else:
            result.passed += 1
    return result


def summary(results: list[Result], seconds: float) -> str:
    """Return a table of the tiers, what failed, and pytest's last line."""
    lines = [f'{"tier":12}{"passed":>8}{"failed":>8}{"skipped":>8}{"seconds":>9}']
    lines += [f'{result.tier:12}{result.passed:8}{result.failed:8}{result.skipped:8}{result.seconds:9.1f}'
              for result in results]
    lines += [''] + [line for result in results for line in result.broken]
    counts = {'failed': sum(result.failed for result in results), 'passed': sum(result.passed for result in results),
              'skipped': sum(result.skipped for result in results)}
    told = ', '.join(f'{count} {word}' for word, count in counts.items() if count) or 'no tests ran'
    return '\n'.join([*lines, f'==== {told} in {seconds:.2f}s ({seconds / 60:.0f} min) ===='])


def main() -> int:
    """Run the tiers of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--reports', type=pathlib.Path, required=True)
    parser.add_argument('tiers', nargs='+')
    arguments = sys.argv[1:]
    split = arguments.index('--') if '--' in arguments else len(arguments)
    options = parser.parse_args(arguments[:split])
    options.reports.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    results = run_lanes(options.tiers, options.reports.resolve(), arguments[split + 1:])
    print(f'\n{summary(results, time.monotonic() - begin)}', flush=True)
    return 1 if any(result.failed for result in results) else 0


if __name__ == '__main__':
    sys.exit(main())
