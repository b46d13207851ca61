"""notifier.Notifier: what systemd is told, over the socket that it reads."""

from __future__ import annotations

import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from compute.notifier import Notifier


class Daemons:
    """A service whose health can be made to hang."""

    def __init__(self) -> None:
        self.problems = ['the broker\ndoes not answer']
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.serving = threading.Event()
        self.serving.set()

    def health(self) -> list[str]:
        self.may_answer.wait(120)
        return self.problems


@pytest.fixture
def systemd(tmp_path: pathlib.Path, monkeypatch: Any) -> Iterator[socket.socket]:
    """The socket that systemd would read, with a watchdog of 0.3 s."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / 'notify'))
        sock.settimeout(120)
        monkeypatch.setenv('NOTIFY_SOCKET', str(tmp_path / 'notify'))
        monkeypatch.setenv('WATCHDOG_USEC', '300000')
        yield sock


def said(systemd: socket.socket, wanted: str) -> None:
    """Read until systemd is told what is wanted; fails after ten seconds of silence or a hundred messages."""
    heard = []
    for _ in range(100):
        heard.append(systemd.recv(4096).decode())
        if wanted in heard[-1].splitlines():
            return
    raise AssertionError(f'{wanted} is not in {heard}')


def test_ready_alive_well_stopping(systemd: socket.socket) -> None:
    daemons = Daemons()
    notifier = Notifier(daemons)
    notifier.start()
    said(systemd, 'STATUS=the broker does not answer')
    said(systemd, 'EXTEND_TIMEOUT_USEC=60000000')
    daemons.problems = []
    said(systemd, 'READY=1')
    for _ in range(3):
        said(systemd, 'WATCHDOG=1')
    notifier.stop()
    said(systemd, 'STOPPING=1')


def test_a_check_of_health_that_hangs_does_not_starve_the_watchdog(systemd: socket.socket) -> None:
    daemons = Daemons()
    daemons.may_answer.clear()
    notifier = Notifier(daemons)
    notifier.start()
    for _ in range(5):
        said(systemd, 'WATCHDOG=1')
    notifier.stop()
    daemons.may_answer.set()
