"""The parent of several processes: whom it tells what at its end."""

from __future__ import annotations

import signal
import socket

import pytest

from compute import http_server, notifier
from compute.supervisor import Supervisor
from tests.ports import free_ports


class Told:
    """A process that notes the signals it gets."""

    def __init__(self, told: bool = False) -> None:
        self.told, self.heard = told, [signal.SIGTERM] if told else []

    def tell(self, number: int) -> None:
        self.told = self.told or number == signal.SIGTERM
        self.heard.append(signal.Signals(number))


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    monkeypatch.setattr(notifier, 'send', bool)
    return Supervisor('identity', [], [('127.0.0.1', *free_ports(1))], 2, 5, False)


def test_each_process_is_told_once(parent: Supervisor) -> None:
    """For a process that drains a second SIGTERM is haste. One that is started at that moment is told as well."""
    served, replaced, late = Told(), Told(told=True), Told()
    parent._children = [served, replaced]  # type: ignore[list-item]
    parent._on_stop(signal.SIGTERM, None)
    parent._stop()
    parent._children.append(late)  # type: ignore[arg-type]
    parent._stop()
    assert served.heard == replaced.heard == late.heard == [signal.SIGTERM]
    parent._on_stop(signal.SIGTERM, None)
    parent._stop()
    assert served.heard == replaced.heard == late.heard == [signal.SIGTERM, signal.SIGKILL]


def test_a_socket_of_its_own_takes_nobody_after_the_stop(parent: Supervisor) -> None:
    """Nobody would be served; one that systemd gave goes on and is served by the next."""
    where = parent._listeners[0].getsockname()
    socket.create_connection(where, timeout=120).close()
    parent._on_stop(signal.SIGTERM, None)
    parent._stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, timeout=120)


def test_processes_empty_a_socket_that_ends_with_their_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    for owned in (True, False):
        with socket.create_server(('127.0.0.1', 0)) as listener:
            port = listener.getsockname()[1]
            monkeypatch.setattr(http_server, '_given', {port: listener.detach()})
            monkeypatch.setenv(http_server.OWN, str(port) if owned else '')
            server = http_server.HttpServer(lambda environ, start: [], '127.0.0.1', port, 2)
            assert server.shared is not owned
            server.stop()
