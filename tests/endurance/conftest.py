"""Figures of the endurance set: each test notes what it measured, and says what it may be at most or at least.

They are printed at the end, with a verdict for each test, and kept in the file that ``ENDURANCE_REPORT`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_ALL: list[Figures] = []
VERDICT = pytest.StashKey[str]()


@dataclass
class Figures:
    """What one test measured."""

    test: str
    lines: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    verdict: str = 'not finished'

    def note(self, what: str, value: object) -> None:
        """Add a figure that decides nothing."""
        self.lines.append(f'{what}: {_text(value)}')

    def at_most(self, what: str, value: float, most: float) -> None:
        """Add a figure; the test fails at its end if it is more."""
        self._limit(f'{what}: {_text(value)}, at most {_text(most)}', value <= most)

    def at_least(self, what: str, value: float, least: float) -> None:
        """Add a figure; the test fails at its end if it is less."""
        self._limit(f'{what}: {_text(value)}, at least {_text(least)}', value >= least)

    def _limit(self, line: str, good: bool) -> None:
        self.lines.append(line)
        if not good:
            self.wrong.append(line)


def _text(value: object) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    found: Figures = request.node.stash[_FIGURES]
    yield found
    assert not found.wrong, '; '.join(found.wrong)


_FIGURES = pytest.StashKey[Figures]()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the figures of each test, also of those that note none."""
    item.stash[_FIGURES] = Figures(item.nodeid)
    _ALL.append(item.stash[_FIGURES])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note the verdict: passed, failed or skipped, and the seconds of the test."""
    report = yield
    figures = item.stash.get(_FIGURES, None)
    if figures is not None and figures.verdict not in ('failed', 'skipped'):
        figures.verdict = report.outcome
        if report.when == 'call':
            figures.note('seconds', float(report.duration))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures and verdicts of all tests."""
    if not _ALL:
        return
    lines = [f'{each.verdict.upper():8} {each.test}\n         {"; ".join(each.lines)}' for each in _ALL]
    terminalreporter.section('endurance: figures and verdicts')
    terminalreporter.write('\n'.join(lines) + '\n')
    if path := os.environ.get('ENDURANCE_REPORT'):
        Path(path).write_text('\n'.join(lines) + '\n')
