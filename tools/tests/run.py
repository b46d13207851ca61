"""Runs tiers of tests one after another and sums up what they found, in the words of pytest.

A tier runs to its end even if one before it failed. pytest's own reports are kept as JUnit XML, so that the sum is
counted and not guessed from output.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# In how many processes a tier runs; a file stays together.
PARALLEL = {'unit': 2, 'contract': 2, 'api': 2, 'functional': 2}
# Real tests share the machine and go one by one, but for these: each has a cluster of its own, in a folder and on ports
# of its own, so that they are no trouble to the others and run beside them.
BESIDE = {'real': ('tests/real/faults/test_matrix.py', 'tests/real/faults/test_red.py',
                   'tests/real/test_blocked_handler.py', 'tests/real/test_fault_outages.py',
                   'tests/real/test_faults.py', 'tests/real/test_rolling_restart.py', 'tests/real/test_soak.py',
                   'tests/real/test_trace_of_a_boot.py')}
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


def lint() -> Result:
    """Run each check as one test."""
    result = Result('lint')
    for check in LINT:
        done = subprocess.run([sys.executable, str(ROOT / 'tools' / 'lint.py'), check], cwd=ROOT, check=False)
        if done.returncode:
            result.failed += 1
            result.broken.append(f'FAILED lint {check}')
        else:
            result.passed += 1
    return result


class Run:
    """One run of pytest. ``quiet``: what it says is shown at its end."""

    def __init__(self, tier: str, report: pathlib.Path, paths: list[str], arguments: list[str], *,
                 quiet: bool = False) -> None:
        self.tier, self._report = tier, report
        command = [sys.executable, '-m', 'pytest', *paths, '-q', f'--junitxml={report}', '-p', 'no:cacheprovider']
        patched = tier in OWN and bool(os.environ.get('COMPUTE_CONCURRENCY'))
        if patched:  # one process: what xdist talks with does not survive being made green
            command += ['-p', 'tests.patched']
        elif tier in PARALLEL:
            command += ['-n', str(PARALLEL[tier]), '--dist', 'loadfile']
        self._output = tempfile.TemporaryFile() if quiet else None
        self._process = subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=self._output, stderr=self._output)

    def result(self) -> Result:
        """Wait for its end and return what it found."""
        status = self._process.wait()
        if self._output is not None:
            self._output.seek(0)
            shutil.copyfileobj(self._output, sys.stdout.buffer)
            sys.stdout.flush()
            self._output.close()
        result = counted(self.tier, self._report)
        nothing_collected = 5
        if status not in (0, 1, nothing_collected) or (status == 1 and not result.failed):
            result.failed += 1
            result.broken.append(f'FAILED tests/{self.tier}: pytest ended with status {status}')
        return result


def tests(tier: str, reports: pathlib.Path, arguments: list[str]) -> Result:
    """Run the tests of a tier with pytest."""
    beside = [path for path in BESIDE.get(tier, ()) if (ROOT / path).exists()]
    runs = [Run(tier, reports / f'{tier}-beside.xml', beside, arguments, quiet=True)] if beside else []
    runs.append(Run(tier, reports / f'{tier}.xml', [f'tests/{tier}', *(f'--ignore={path}' for path in beside)],
                    arguments))
    total = Result(tier)
    for result in [run.result() for run in reversed(runs)]:
        total.passed += result.passed
        total.failed += result.failed
        total.skipped += result.skipped
        total.broken += result.broken
    return total


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
    results, begin = [], time.monotonic()
    for tier in options.tiers:
        print(f'---- {tier} ----', flush=True)
        started = time.monotonic()
        result = lint() if tier == 'lint' else tests(tier, options.reports.resolve(), arguments[split + 1:])
        result.seconds = time.monotonic() - started
        results.append(result)
    print(f'\n{summary(results, time.monotonic() - begin)}', flush=True)
    return 1 if any(result.failed for result in results) else 0


if __name__ == '__main__':
    sys.exit(main())
