"""What work costs: CPU seconds of every process of a stack, and statements of its database, before and after.

Wall time on a machine with other work is noise; processor time is not. Children (the broker's emulator, workers of a
daemon) count for the program that started them, and the client is one of the programs.
"""

from __future__ import annotations

import configparser
import json
import os
import pathlib
import subprocess
import sys
from dataclasses import dataclass, field

import sqlalchemy as sa

_TICK = os.sysconf('SC_CLK_TCK')
_COUNTED = {'Questions': 'statements', 'Com_commit': 'commits', 'Com_select': 'selects', 'Com_update': 'updates',
            'Com_insert': 'inserts', 'Connections': 'connects'}


@dataclass
class Spent:
    """Seconds of CPU by program, and counts of the database by name."""

    seconds: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def since(self, before: Spent) -> Spent:
        """Return what was spent between two looks."""
        return Spent({name: value - before.seconds.get(name, 0.0) for name, value in self.seconds.items()},
                     {name: value - before.counts.get(name, 0) for name, value in self.counts.items()})


class Meter:
    """Looks at one stack (tools/stack.sh --cluster)."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._folder = folder
        root = pathlib.Path(__file__).resolve().parent.parent
        told = subprocess.run([sys.executable, str(root / 'supervise'), '--dir', str(folder / 'run'), '--json',
                               'status'], capture_output=True, text=True, check=True).stdout
        self.programs = {program['name'].removeprefix('compute-'): int(program['pid'])
                         for program in json.loads(told)['programs'] if program['pid']}
        config = configparser.RawConfigParser()
        config.read(folder / 'etc' / 'conductor.conf')
        self._engine = sa.create_engine(config.get('database', 'connection'), poolclass=sa.pool.StaticPool)

    def look(self) -> Spent:
        """Return what was spent so far."""
        children = _children()
        seconds = {name: sum(_seconds(pid) for pid in _family(pid, children)) for name, pid in self.programs.items()}
        times = os.times()
        seconds['client'] = times.user + times.system
        with self._engine.connect() as connection:
            rows = dict(connection.exec_driver_sql('SHOW GLOBAL STATUS').all())  # type: ignore[arg-type]
        return Spent(seconds, {shown: int(rows[name]) for name, shown in _COUNTED.items()})


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for folder in pathlib.Path('/proc').glob('[0-9]*'):
        if stat := _stat(int(folder.name)):
            found.setdefault(int(stat[1]), []).append(int(folder.name))
    return found


def _family(pid: int, children: dict[int, list[int]]) -> list[int]:
    return [pid, *(each for child in children.get(pid, ()) for each in _family(child, children))]


def _seconds(pid: int) -> float:
    stat = _stat(pid)
    return (int(stat[11]) + int(stat[12])) / _TICK if stat else 0.0


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the program's name, the state first."""
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return []
