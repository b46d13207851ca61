"""One row of the table: a fault, while one operation stands at each point of each way.

Everything is brought to its point, the fault comes, work is let go, the fault goes, and then all must settle: nothing
open, nothing left over, and every operation ended as the fault allows. One row takes as long as its slowest cell.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.real.cluster import Timer
from tests.real.faults.audit import violations
from tests.real.faults.bed import Bed
from tests.real.faults.ways import WAYS, Cell, Way, cells
from tests.waiting import LONG, comes_true

LOG = logging.getLogger(__name__)
SETTLE = LONG


@dataclass(frozen=True)
class Fault:
    """What goes wrong.

    ``prepare`` before anything is asked (it may return values for the body of creates); ``inject`` when all is at its
    point; ``meanwhile`` after work was let go (what is in a paused daemon goes on when that does); ``lift`` ends it;
    ``check`` returns what is wrong beyond the invariants; ``clean`` puts the cluster back as it was.
    ``may_fail``: codes with which operations of a way's name (or '*') may end instead of being done.
    """

    name: str
    inject: Callable[[Bed, list[Cell]], Any]
    lift: Callable[[Bed], Any]
    prepare: Callable[[Bed], Any] = lambda bed: None
    meanwhile: Callable[[Bed, list[Cell]], Any] = lambda bed, points: None
    check: Callable[[Bed], list[str]] = lambda bed: []
    clean: Callable[[Bed], Any] = lambda bed: None
    may_fail: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def allows(self, way: Way, code: str) -> bool:
        """Tell whether an operation of a way may end with a code."""
        return code == 'done' or code in (*self.may_fail.get(way.name, ()), *self.may_fail.get('*', ()))


@dataclass
class Row:
    """What came of a fault: a verdict for each cell, and all that is wrong."""

    fault: Fault
    verdicts: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def run(bed: Bed, fault: Fault, ways: tuple[Way, ...] = WAYS, settle: float = SETTLE) -> Row:
    """Do one row and return what came of it."""
    row, points = Row(fault), cells(ways)
    timer = Timer()

    def took(what: str) -> None:
        row.seconds[what] = round(timer.seconds, 1)
    bed.provide(points)
    took('provided')
    answers: list[Any] = []
    values = fault.prepare(bed) or {}
    for short in (False, True):  # those that nobody holds come last
        group = [cell for cell in points if cell.short is short]
        answers += bed.ask(group, **values)
        bed.reach(group)
    took('reached')
    fault.inject(bed, points)
    try:
        bed.points.let_go()
        fault.meanwhile(bed, points)
    finally:
        fault.lift(bed)
    took('lifted')
    try:
        return _judged(bed, fault, points, answers, row, settle, took)
    finally:
        fault.clean(bed)
        bed.tidy()
        LOG.info('%s: %s', fault.name, row.seconds)


def _judged(bed: Bed, fault: Fault, points: list[Cell], answers: list[Any], row: Row, settle: float,
            took: Callable[[str], None]) -> Row:
    row.wrong = _settled(bed, points, settle)
    took('settled')
    row.wrong += [f'an answer was {answer.result()}' for answer in answers if answer.result() is None]
    row.wrong += _judge(bed, fault, points, row.verdicts) + fault.check(bed)
    return row


def _settled(bed: Bed, points: list[Cell], timeout: float) -> list[str]:
    """Wait until everything agrees, as seen twice; return what does not in time. What a row before left counts once."""
    last: list[str] = []

    def agrees() -> bool:
        last[:] = [each for each in violations(bed) if each not in bed.known]
        return not last
    if comes_true(agrees, timeout):
        agrees()
    bed.known.update(last)
    return last


def _judge(bed: Bed, fault: Fault, points: list[Cell], verdicts: dict[str, str]) -> list[str]:
    """Note how each cell ended; return those that did so as they may not."""
    wrong = []
    for cell in points:
        code, state = bed.verdict(cell)
        verdicts[cell.title] = 'ok' if code == 'done' else code
        if code == 'done' and state != cell.way.ends:
            verdicts[cell.title] = f'done, but {state}'
            wrong.append(f'{cell.title}: done, and {cell.server} ({cell.uuid}) is {state}, not {cell.way.ends}')
        elif not fault.allows(cell.way, code):
            verdicts[cell.title] = f'{code}!'
            wrong.append(f'{cell.title}: {cell.server} ({cell.uuid}) ended with {code}, {state}')
    return wrong


def collected(request: pytest.FixtureRequest, ways: tuple[Way, ...] = WAYS) -> Iterator[list[Row]]:
    """Give a fixture the list that rows are put into, and print their table at its end."""
    found: list[Row] = []
    yield found
    capture = request.config.pluginmanager.get_plugin('capturemanager')
    with capture.global_and_fixture_disabled():
        sys.stdout.write(f'\n{table(found, ways)}\n')


def table(rows: list[Row], ways: tuple[Way, ...] = WAYS) -> str:
    """Return stages against faults, for people."""
    lines = [f'{number:3} {row.fault.name}: {"ok" if not row.wrong else "; ".join(row.wrong)[:300]} {row.seconds}'
             for number, row in enumerate(rows, 1)]
    titles = [cell.title for cell in cells(ways)]
    wide = max(map(len, titles)) + 1
    columns = [max(len(str(number)), *(len(row.verdicts.get(title, '-')) for title in titles))
               for number, row in enumerate(rows, 1)]
    head = ' ' * wide + ' '.join(str(number).rjust(width) for number, width in zip(
        range(1, len(rows) + 1), columns, strict=True))
    body = [title.ljust(wide) + ' '.join(row.verdicts.get(title, '-').rjust(width) for row, width in zip(
        rows, columns, strict=True)) for title in titles]
    return '\n'.join([*lines, '', head, *body])
