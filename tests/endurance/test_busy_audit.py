"""A cloud that is busy and well has no findings, however often it is audited."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.endurance.conftest import Figures
from tests.functional.standalone import Client, Cloud, running, wait_for
from tests.functional.test_audit import audits

SECONDS, CALLERS = 8.0, 6


def be_busy(client: Client, cloud: Cloud, number: int, until: float) -> int:
    """Create, reboot and delete, some of it before it is done; return how often."""
    turn = 0
    while time.monotonic() < until:
        key = cloud.create(name=f's{number}')
        if turn % 2:
            client.wait(key, 'ACTIVE')
            client.act(key, 'reboot', {'type': 'HARD'})
        client.call('DELETE', 'compute', f'/servers/{key}')
        turn += 1
    return turn


def test_a_busy_cloud_that_is_well_has_no_findings(tmp_path: Path, figures: Figures) -> None:
    options = {'conductor': {'lease': 15, 'begin_timeout': 5, 'reaper_interval': 0.5, 'audit_interval': 0.5,
                             'audit_pause': 1},
               'quota': {'instances': -1, 'cores': -1, 'ram': -1}}
    with running(tmp_path, overrides=options) as stack:
        client = Client(stack)
        cloud = Cloud(client)
        until = time.monotonic() + SECONDS
        with ThreadPoolExecutor(CALLERS) as pool:
            turns = list(pool.map(lambda number: be_busy(client, cloud, number, until), range(CALLERS)))
        count = len(audits(tmp_path))
        done = wait_for(lambda: (found := audits(tmp_path))[max(count, 4) + 1:] and found, 60, 'another audit')
    figures.note('turns of each caller', turns)
    figures.note('audits', len(done))
    figures.at_least('turns of the slowest caller', min(turns), 2)
    assert [report for report in done if report['findings'] or report['unseen']] == []
