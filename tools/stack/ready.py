"""Waits until the daemons of a stack work: all of them say that they are well, and every host reports itself.

Fails at once, with the end of the log, when a daemon ends again and again.
"""

from __future__ import annotations

import argparse
import configparser
import json
import pathlib
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

from report import Failed, until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
STARTS_ALLOWED = 4


class Waiter:
    """Looks at a stack through its own tools."""

    def __init__(self, folder: pathlib.Path, hosts: int) -> None:
        self.folder, self.hosts = folder, hosts
        self.problems: list[str] = []

    def ready(self) -> bool:
        """Tell whether everything works; note what does not."""
        self._look_at_programs()
        state = self._state()
        rows = [*state['daemons'], *state['services']]
        self.problems = [f'{row.get("daemon") or row["binary"]} is {row["state"]}: {row["problems"] or "no report"}'
                         for row in rows if row['state'] != 'up']
        self.problems += unwell(self.folder / 'etc')
        if len(state['hosts']) < self.hosts:
            self.problems.append(f'{len(state["hosts"])} of {self.hosts} hosts have reported')
        return not self.problems

    def _look_at_programs(self) -> None:
        programs = json.loads(self._run(str(ROOT / 'tools' / 'supervise'), '--dir', str(self.folder / 'run'), '--json',
                                        'status'))['programs']
        for program in programs:
            if program['starts'] >= STARTS_ALLOWED and program['state'] != 'running':
                log = self.folder / 'logs' / f'{program["name"]}.log'
                end = '\n'.join(log.read_text(errors='replace').splitlines()[-12:])
                raise Failed(f'{program["name"]} ends again and again ({program["ended"]}); see {log}\n{end}')

    def _state(self) -> Any:
        text = self._run(f'{sys.prefix}/bin/compute-status', '--config-file', str(self.folder / 'etc' / 'manage.conf'),
                         '--json')
        return json.loads(text[text.index('{'):])

    @staticmethod
    def _run(*command: str) -> str:
        program = [sys.executable, *command] if command[0].endswith('supervise') else list(command)
        done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=False)
        if not done.stdout.strip():
            raise Failed(f'{command[0]}: {done.stderr.strip()[-500:]}')
        return done.stdout


def unwell(folder: pathlib.Path) -> list[str]:
    """Return what the daemons say that cannot work, conductors, workers and agents too: each has a health listener."""
    found = []
    for path in sorted(folder.glob('*.conf')):
        parser = configparser.RawConfigParser(default_section='none', strict=False)
        parser.read(path)
        if port := parser.get('health', 'listen_port', fallback=''):
            found += [f'{path.stem}: {problem}' for problem in _problems(f'http://127.0.0.1:{port}/healthcheck')]
    return found


def _problems(url: str) -> list[str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=10):
            return []
    except urllib.error.HTTPError as error:
        return error.read().decode(errors='replace').splitlines()[1:] or [f'it answers {error.code}']
    except OSError as error:
        return [f'its health listener does not answer: {getattr(error, "reason", error)}']


def main() -> int:
    """Wait."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('folder', type=pathlib.Path)
    parser.add_argument('--hosts', type=int, default=1)
    parser.add_argument('--seconds', type=float, default=90)
    options = parser.parse_args()
    waiter = Waiter(options.folder, options.hosts)
    try:
        until(options.seconds + options.hosts / 10, 'the daemons are not ready', waiter.ready, 0.3)
    except Failed as error:
        print(f'{error}\n' + '\n'.join(waiter.problems), file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
