"""Times calls: many callers at once, each with a connection of its own, and the numbers that tables are made of."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from client import Refused, Session


@dataclass
class Times:
    """Seconds that calls took, and how long all of them took together."""

    calls: list[float] = field(default_factory=list)
    total: float = 0.0
    failed: int = 0

    def at(self, share: float) -> float:
        """Return the time within which this share of the calls ended."""
        ordered = sorted(self.calls)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float('nan')

    @property
    def rate(self) -> float:
        """Calls per second."""
        return len(self.calls) / self.total if self.total else float('nan')


def together(callers: int, work: Iterable[Any], call: Callable[[Session, Any], Any]) -> Times:
    """Let ``callers`` threads call once for each item of ``work``, until it is used up."""
    times, items, lock = Times(), iter(work), threading.Lock()

    def run() -> None:
        with Session() as session:
            while True:
                with lock:
                    item = next(items, times)
                if item is times:
                    return
                begin = time.perf_counter()
                try:
                    call(session, item)
                except Refused:
                    with lock:
                        times.failed += 1
                else:
                    with lock:
                        times.calls.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(callers)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.total = time.perf_counter() - begin
    return times


def table(title: str, columns: list[str], rows: list[list[str]]) -> str:
    """Return a table as text."""
    widths = [max(len(row[number]) for row in [columns, *rows]) for number in range(len(columns))]

    def line(cells: list[str]) -> str:
        return '  ' + '  '.join([cells[0].ljust(widths[0]), *(
            cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])
    return '\n'.join([title, line(columns), line(['-' * width for width in widths]), *map(line, rows), ''])


def milliseconds(seconds: float) -> str:
    """Return a time as tables show it."""
    return f'{seconds * 1000:.1f}'


def spread(values: list[float], shown: Callable[[float], str] = milliseconds) -> str:
    """Return the median of some runs with the least and the most."""
    return f'{shown(statistics.median(values))} ({shown(min(values))}-{shown(max(values))})'
