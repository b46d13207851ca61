"""All daemons in one process stay small while they do nothing; the limit leaves room for what other tests left."""

from __future__ import annotations

from pathlib import Path

from tests.functional.standalone import Client, Standalone

MOST = 180.0


def test_the_whole_cloud_takes_little(stack: Standalone, client: Client) -> None:
    """PSS, as the figure that is promised."""
    client.ok('GET', 'compute', '/servers')
    assert stack.process is not None
    lines = Path(f'/proc/{stack.process.pid}/smaps_rollup').read_text().splitlines()
    taken = next(int(line.split()[1]) for line in lines if line.startswith('Pss:')) / 1024
    assert taken < MOST, f'standalone takes {taken:.0f} MiB'
