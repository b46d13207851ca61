"""A REST daemon of several processes on one port: replaced one by one, started again when one dies, ended together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.functional.standalone import ROOT, wait_for
from tests.ports import free_ports
from tests.waiting import LONG

RUN = 'import sys; from compute.cmd.identity import main; sys.exit(main())'


@pytest.fixture(scope='module')
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    folder: Path = tmp_path_factory.mktemp('workers')
    port, health = free_ports(2)
    (folder / 'identity.conf').write_text(
        f'[DEFAULT]\ntransport_url = kombu+memory://\nlog_file = {folder}/log\nhttp_idle_grace = 2\n'
        f'graceful_shutdown_timeout = 20\n[health]\nlisten_port = {health}\n[database]\nidentity_connection = sqlite:///{folder}/db\n'
        f'[identity]\nlisten_host = 127.0.0.1\nlisten_port = {port}\nworkers = 2\nkey_repository = {folder}/keys\n')
    (folder / 'log').touch()
    parent = subprocess.Popen([sys.executable, '-W', 'ignore', '-c', RUN, '--config-file', f'{folder}/identity.conf'],
                              cwd=ROOT, env={**os.environ, 'COMPUTE_CONCURRENCY': 'threading'})
    yield f'http://127.0.0.1:{port}/v3', parent, folder / 'log'
    if parent.poll() is None:
        for pid in children(parent):
            os.kill(pid, signal.SIGKILL)
        parent.kill()
    parent.wait()


def children(parent: subprocess.Popen[bytes]) -> set[int]:
    text = Path(f'/proc/{parent.pid}/task/{parent.pid}/children').read_text()
    return {int(pid) for pid in text.split()}


def serves(url: str) -> bool:
    try:
        return requests.get(url, timeout=120).status_code == 200
    except requests.ConnectionError:
        return False


def test_life_of_workers(url: tuple[str, subprocess.Popen[bytes], Path]) -> None:
    address, parent, log = url
    wait_for(lambda: log.read_text().count('identity runs') == 2, 120, 'two processes that serve')
    assert serves(address)
    first = children(parent)
    with requests.Session() as session:
        assert session.get(address, timeout=LONG).status_code == 200
        parent.send_signal(signal.SIGHUP)
        wait_for(lambda: len(children(parent)) == 2 and not children(parent) & first, 120, 'the replacement')
        assert session.get(address, timeout=LONG).status_code == 200  # on a connection of one that came
    victim = children(parent).pop()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: len(children(parent) - {victim}) == 2, 60, 'a new process')
    assert serves(address)
    last = children(parent)
    parent.send_signal(signal.SIGTERM)
    assert parent.wait(LONG) == 0
    assert not any(os.path.exists(f'/proc/{pid}') for pid in last)
