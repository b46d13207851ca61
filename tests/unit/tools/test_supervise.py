"""tools/supervise: starts, restarts, stops and takes a changed list, with real processes."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.waiting import wait_until

TOOL = pathlib.Path(__file__).resolve().parents[3] / 'tools' / 'supervise'
DEAF = 'sh -c \'trap "" TERM; echo ready; while :; do sleep 0.1; done\''


class Supervised:
    """A supervisor with a folder of its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder, self.file = folder / 'run', folder / 'programs'

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the tool."""
        return subprocess.run([sys.executable, str(TOOL), '--dir', str(self.folder), *words], capture_output=True,
                              text=True, timeout=600, check=False)

    def up(self, *lines: str) -> subprocess.CompletedProcess[str]:
        """Write the list of programs and start, or take it anew."""
        self.file.write_text('\n'.join(lines) + '\n')
        return self.call('up', str(self.file))

    def programs(self) -> dict[str, Any]:
        """Return the state of every program."""
        return {row['name']: row for row in json.loads(self.call('--json', 'status').stdout)['programs']}

    def log(self, name: str) -> str:
        """Return the log of a program."""
        path = self.folder / 'logs' / f'{name}.log'
        return path.read_text() if path.exists() else ''


@pytest.fixture
def supervised(tmp_path: pathlib.Path) -> Iterator[Supervised]:
    given = Supervised(tmp_path)
    yield given
    given.call('down')


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    return wait_until(condition, 'what the test waits for', seconds)


def alive(pid: int) -> bool:
    try:
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_starts_everything_and_stops_it(supervised: Supervised) -> None:
    assert supervised.up('one = sleep 100', '# a comment', '', 'two = sleep 100').returncode == 0
    state = until(lambda: (rows := supervised.programs()) and all(row['pid'] for row in rows.values()) and rows)
    assert list(state) == ['one', 'two']
    assert int((supervised.folder / 'one.pid').read_text()) == state['one']['pid']
    assert supervised.call('status').returncode == 0
    assert supervised.call('down').returncode == 0
    assert not any(alive(row['pid']) for row in state.values())
    assert supervised.call('status').returncode == 1
    assert not (supervised.folder / 'control').exists()


def test_a_killed_program_is_started_again(supervised: Supervised) -> None:
    supervised.up('one = sleep 100')
    first = supervised.programs()['one']['pid']
    assert supervised.call('kill', 'one').returncode == 0
    row = until(lambda: (row := supervised.programs()['one'])['pid'] not in (None, first) and row)
    assert row['starts'] == 2 and row['ended'].startswith('signal 9')


def test_pauses_grow_while_a_program_keeps_ending(supervised: Supervised) -> None:
    supervised.up('one = sh -c "date +%s.%N; exit 3"')
    times = until(lambda: len(found := supervised.log('one').split()) >= 3 and [float(text) for text in found])
    assert times[1] - times[0] > 0.4 and times[2] - times[1] > 0.8, 'at least the pauses'
    assert supervised.programs()['one']['ended'].startswith('status 3')
    assert supervised.call('status').returncode == 1


def test_a_program_that_does_not_exist_is_told_in_its_log(supervised: Supervised) -> None:
    supervised.up('one = /nonexistent/program')
    assert 'No such file' in until(lambda: supervised.log('one'))


def test_stop_start_restart(supervised: Supervised) -> None:
    supervised.up('one = sleep 100', 'two = sleep 100')
    first = supervised.programs()
    supervised.call('stop', 'one', 'two')
    assert {row['state'] for row in supervised.programs().values()} == {'stopped'}
    assert not alive(first['one']['pid'])
    supervised.call('start', 'one')
    assert supervised.programs()['one']['state'] == 'running'
    before = supervised.programs()['one']['pid']
    supervised.call('restart', 'one')
    assert supervised.programs()['one']['pid'] not in (None, before)


def test_who_does_not_listen_is_killed_after_its_grace(supervised: Supervised) -> None:
    supervised.up(f'one = {DEAF}', 'one.grace = 0.5')
    until(lambda: 'ready' in supervised.log('one'))
    pid = supervised.programs()['one']['pid']
    supervised.call('stop', 'one')
    assert not alive(pid) and supervised.programs()['one']['ended'].startswith('signal 9')


def test_a_changed_list_touches_only_what_changed(supervised: Supervised) -> None:
    supervised.up('same = sleep 100', 'other = sleep 100', 'gone = sleep 100')
    before = supervised.programs()
    told = supervised.up('same = sleep 100', 'other = sleep 200', 'new = sleep 100')
    after = supervised.programs()
    assert after['same']['pid'] == before['same']['pid']
    assert after['other']['pid'] != before['other']['pid']
    assert list(after) == ['same', 'other', 'new'] and not alive(before['gone']['pid'])
    assert 'same' not in told.stdout and 'new' in told.stdout
    assert supervised.call('up', str(supervised.file)).stdout == 'changed: nothing\n'


def test_environment_and_quoting(supervised: Supervised) -> None:
    supervised.up("""one = sh -c 'echo "$WORD"; exec sleep 100'""", """one.environment = "WORD=two  words" X=1""")
    assert until(lambda: supervised.log('one')) == 'two  words\n'


def test_processes_of_a_killed_supervisor_are_replaced(supervised: Supervised) -> None:
    supervised.up('one = sleep 100')
    old = supervised.programs()['one']['pid']
    answer = json.loads(supervised.call('--json', 'status').stdout)
    os.kill(answer['pid'], signal.SIGKILL)
    until(lambda: not alive(answer['pid']))
    assert alive(old)
    supervised.call('up', str(supervised.file))
    until(lambda: supervised.programs()['one']['pid'])
    assert not alive(old)


@pytest.mark.parametrize(('lines', 'text'), [(['one'], 'NAME = COMMAND'), (['one ='], 'NAME = COMMAND'),
                                             (['one = "open'], 'quotation')])
def test_a_broken_list_is_refused(supervised: Supervised, lines: list[str], text: str) -> None:
    done = supervised.up(*lines)
    assert done.returncode != 0 and text in done.stderr


def test_unknown_names_are_refused(supervised: Supervised) -> None:
    supervised.up('one = sleep 100')
    done = supervised.call('stop', 'two')
    assert done.returncode == 1 and "no program 'two'; there are one" in done.stderr
    assert supervised.programs()['one']['state'] == 'running'
