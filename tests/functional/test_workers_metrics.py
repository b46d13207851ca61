"""/metrics of an API of two processes: the sum of both, whoever answers and whoever has died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.functional.standalone import ROOT, wait_for
from tests.functional.test_workers import children
from tests.ports import free_ports
from tests.waiting import LONG

RUN = 'import sys; from compute.cmd.api import main; sys.exit(main())'


class Api:
    """compute-api with two processes, and nothing else: what needs no token is served."""

    def __init__(self, folder: Path) -> None:
        port, health = free_ports(2)
        self.url, self._metrics = f'http://127.0.0.1:{port}/', f'http://127.0.0.1:{health}/metrics'
        (folder / 'api.conf').write_text(
            f'[DEFAULT]\ntransport_url = kombu+memory://\nlog_file = {folder}/log\nhttp_idle_grace = 0.2\n'
            f'[health]\nlisten_port = {health}\n[database]\nconnection = sqlite:///{folder}/db\n'
            f'[api]\nlisten_host = 127.0.0.1\nlisten_port = {port}\nworkers = 2\n')
        self.parent = subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', RUN, '--config-file', f'{folder}/api.conf'], cwd=ROOT,
            env={**os.environ, 'COMPUTE_CONCURRENCY': 'threading', 'TMPDIR': str(folder)})
        self.folder = folder
        (folder / 'log').touch()
        wait_for(lambda: (folder / 'log').read_text().count('api runs') == 2, 120, 'two processes that serve')

    def ask(self, times: int) -> None:
        """Send requests that no other test counts, each on a connection of its own."""
        for _ in range(times):
            assert requests.delete(self.url, headers={'Connection': 'close'}, timeout=LONG).status_code < 500

    def look(self) -> dict[str, float]:
        """Return what one look shows: of all that was asked for, and of the daemon."""
        text = requests.get(self._metrics, headers={'Connection': 'close'}, timeout=LONG).text
        families = {family.name: family.samples for family in text_string_to_metric_families(text)}
        asked = sum(sample.value for sample in families.get('compute_http_request_seconds', ())
                    if sample.name.endswith('_count') and sample.labels['method'] == 'DELETE')
        return {'asked': asked, 'built': sum(sample.value for sample in families['compute_build_info']),
                'threads': families['compute_threads'][0].value,
                'cpu': families['process_cpu_seconds'][0].value}

    def looks(self, wanted: int) -> dict[str, float]:
        """Return a look once ten of them in a row show so many requests: every process answers some of them."""
        def all_show() -> dict[str, float] | None:
            seen = [self.look() for _ in range(10)]
            assert all(look['asked'] <= wanted for look in seen), 'nothing is counted twice'
            return seen[-1] if all(look['asked'] == wanted for look in seen) else None
        return wait_for(all_show, 60, f'{wanted} requests')


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    made = Api(tmp_path)
    yield made
    if made.parent.poll() is None:
        for pid in children(made.parent):
            os.kill(pid, signal.SIGKILL)
        made.parent.kill()
    made.parent.wait()


def test_the_sum_of_all_processes_dead_ones_too(api: Api) -> None:
    api.ask(40)
    found = api.looks(40)
    assert found['built'] == 1, 'one daemon'
    assert found['threads'] >= 2, 'each process has one at least'
    os.kill(min(children(api.parent)), signal.SIGKILL)
    wait_for(lambda: len(children(api.parent)) == 2, 60, 'a new process')
    after = api.looks(40)
    assert after['cpu'] >= found['cpu'], 'a counter does not go back'
    api.ask(10)
    api.looks(50)
    before = children(api.parent)
    api.ask(5)
    api.parent.send_signal(signal.SIGHUP)
    wait_for(lambda: len(children(api.parent)) == 2 and not children(api.parent) & before, 120, 'the replacement')
    api.looks(55)
    api.parent.send_signal(signal.SIGTERM)
    assert api.parent.wait(LONG) == 0
    assert not list(api.folder.glob('compute-metrics-*')), 'nothing is left'


def test_shown_numbers_never_go_back(api: Api) -> None:
    last = 0.0
    for number in range(1, 26):
        api.ask(2)
        now = api.look()['asked']
        assert last <= now <= 2 * number
        last = now
    api.looks(50)
