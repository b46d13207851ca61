"""What a daemon takes of memory: PSS of processes that run, and of one that has loaded a daemon and nothing else.

PSS counts what a process has for itself, and its share of what it has in common with others; a page counts once over
all processes. It is read from /proc/PID/smaps_rollup.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

from measure import table
from tree import HERE, ROOT, environment

DAEMONS = ('identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'metadata', 'network_agent', 'worker')


def of_process(pid: int) -> dict[str, float]:
    """Return PSS, RSS and private memory of a process in MiB."""
    lines = pathlib.Path(f'/proc/{pid}/smaps_rollup').read_text().splitlines()[1:]
    found = {name: int(value.split()[0]) / 1024 for name, value in (line.split(':', 1) for line in lines)}
    return {'pss': found['Pss'], 'rss': found['Rss'], 'private': found['Private_Dirty'] + found['Private_Clean']}


def footprint(daemon: str, tree: str) -> dict[str, float]:
    """Load a daemon of a tree in a process of its own, as its program does; nothing if that does not work."""
    done = subprocess.run([sys.executable, '-W', 'ignore', str(HERE / 'footprint.py'), daemon], cwd=tree,
                          env={**environment(pathlib.Path(tree)), 'COMPUTE_CONCURRENCY': 'eventlet'},
                          capture_output=True, text=True, check=False)
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument('--stack', type=pathlib.Path, default=os.environ.get('STACK_DIR', ROOT / '.stack'))
    parser.add_argument('--pid', type=int, nargs='*', help='processes to look at instead of a stack')


def run(options: argparse.Namespace) -> int:
    """Print what each process takes."""
    named = {str(pid): pid for pid in options.pid} if options.pid else programs(options.stack)
    rows, total = [], 0.0
    for name, pid in named.items():
        taken = of_process(pid)
        total += taken['pss']
        threads = len(os.listdir(f'/proc/{pid}/task'))
        rows.append([name, *(f'{taken[key]:.1f}' for key in ('pss', 'rss', 'private')), str(threads)])
    print(table('memory, MiB', ['program', 'PSS', 'RSS', 'private', 'threads'],
                [*rows, ['all', f'{total:.1f}', '', '', '']]), flush=True)
    return 0


def programs(folder: pathlib.Path) -> dict[str, int]:
    """Return the processes of a stack by name."""
    told = subprocess.run([sys.executable, str(ROOT / 'tools' / 'supervise'), '--dir', str(folder / 'run'), '--json',
                           'status'], capture_output=True, text=True, check=True).stdout
    return {program['name']: program['pid'] for program in json.loads(told)['programs'] if program['pid']}


def _load(name: str) -> dict[str, Any]:
    """Load a daemon in this process and tell what that took. The mode of threads comes from the environment."""
    from compute import concurrency
    concurrency.patch()
    from compute import service
    from compute.configure import configure
    configure([], f'compute-{name}')
    service.load(name)
    if name in ('worker', 'network_agent'):
        import compute.virt.fake.driver  # noqa: F401
    import gc
    gc.collect()
    return of_process(os.getpid())


if __name__ == '__main__':
    print(json.dumps(_load(sys.argv[1])))
