"""A daemon whose database is not there starts, says what it waits for, and ends in order; a broken store ends it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.functional.standalone import ROOT, wait_for
from tests.ports import free_ports

RUN = 'import sys; from compute.cmd.identity import main; sys.exit(main())'
REASON = 'DOWN\nprocess: it waits: The database does not answer'
Start = Callable[..., 'subprocess.Popen[bytes]']


class Place:
    """Where a daemon runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, (self.port, self.health_port, self.nowhere) = folder, free_ports(3)
        self.log = folder / 'log'
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / 'notify'))
        self.systemd.settimeout(120)

    def said(self) -> str:
        """Return the log."""
        return self.log.read_text() if self.log.exists() else ''

    def told(self, start: str) -> str:
        """Return the next line for systemd that begins so."""
        while True:
            for line in self.systemd.recv(4096).decode().splitlines():
                if line.startswith(start):
                    return line


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.systemd.close()


@pytest.fixture(params=['threading', 'eventlet'])
def start(request: pytest.FixtureRequest, place: Place) -> Iterator[Start]:
    running = []

    def begin(store: str, drain: float = 0.2) -> subprocess.Popen[bytes]:
        conf = place.folder / 'identity.conf'
        conf.write_text(
            f'[DEFAULT]\ntransport_url = kombu+memory://\nlog_file = {place.log}\n'
            f'http_idle_grace = 0.2\nhttp_drain = {drain}\n'
            f'[database]\nidentity_connection = {store}\n[health]\nlisten_port = {place.health_port}\n'
            f'[identity]\nlisten_host = 127.0.0.1\nlisten_port = {place.port}\nkey_repository = {place.folder}/keys\n')
        running.append(subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', RUN, '--config-file', str(conf)], cwd=ROOT,
            env={**os.environ, 'COMPUTE_CONCURRENCY': request.param, 'NOTIFY_SOCKET': str(place.folder / 'notify')}))
        return running[-1]
    yield begin
    for process in running:
        process.kill()
        process.wait()


def look(port: int, path: str = '/healthcheck') -> tuple[int, str]:
    try:
        answer = requests.get(f'http://127.0.0.1:{port}{path}', timeout=120)
    except requests.ConnectionError:
        return 0, ''
    return answer.status_code, answer.text


def test_no_database(start: Start, place: Place) -> None:
    process = start(f'mysql+pymysql://u:hidden-word@127.0.0.1:{place.nowhere}/identity')
    wait_for(lambda: look(place.health_port) == (503, REASON), 60, 'the reason')
    status, text = look(place.port, '/v3')  # answered when it has waited for a while, and not refused before
    assert status == 503 and 'The database does not answer' in text
    assert look(place.port) == (503, 'it waits: The database does not answer')
    assert place.told('EXTEND') == 'EXTEND_TIMEOUT_USEC=60000000', 'systemd waits on, and is told no READY'
    assert place.told('STATUS=it waits') == 'STATUS=it waits: The database does not answer'
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 0
    assert 'the start waits: The database does not answer' in place.said() and 'hidden-word' not in place.said()


def test_a_load_balancer_is_told_before(start: Start, place: Place) -> None:
    process = start(f'sqlite:///{place.folder}/store', drain=8)
    wait_for(lambda: look(place.port) == (200, 'OK'), 60, 'the daemon')
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: look(place.port) == (503, 'it is stopping'), 10, 'the word to the load balancer')
    assert look(place.port, '/v3')[0] == 200  # it still serves those who come
    assert process.wait(120) == 0


def test_broken_database(start: Start, place: Place) -> None:
    store = place.folder / 'store'
    store.write_bytes(b'this is no database at all' * 100)
    process = start(f'sqlite:///{store}')
    assert process.wait(120) == 1
    assert 'cannot start: ' in place.said() and 'file is not a database' in place.said()


def test_a_start_that_takes_long_is_not_healthy(start: Start, place: Place) -> None:
    """The first attempt goes on, so that nothing has failed yet."""
    with socket.create_server(('127.0.0.1', 0)) as silent:
        start(f'mysql+pymysql://u:p@127.0.0.1:{silent.getsockname()[1]}/identity')
        assert wait_for(lambda: (found := look(place.port))[0] and found, 60, 'an answer') == (503, 'it is starting')
