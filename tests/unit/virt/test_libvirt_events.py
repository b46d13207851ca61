"""Events of libvirt come whoever opened the connection, on the driver that libvirt has for tests."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any

import libvirt
import pytest

from compute.virt.driver import GuestEvent
from compute.virt.libvirt.host import Host
from tests.contract.virt.bed import wait_for
from tests.contract.virt.making import make_conf

GUEST = '6695eb01-f6a4-8304-79aa-97f2502e193f'


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A connection that has no other end: nothing is to be kept alive, and it is not lost."""
    for name in ('setKeepAlive', 'registerCloseCallback'):
        monkeypatch.setattr(libvirt.virConnect, name, lambda *args: None)
    made = Host(make_conf(libvirt={'connection_uri': 'test:///default'}))
    yield made
    made.stop()


def stop_and_start(connection: Any) -> None:
    domain = connection.lookupByUUIDString(GUEST)
    domain.destroy()
    domain.create()


def check_events(host: Host, events: list[GuestEvent]) -> None:
    host.run(stop_and_start)
    wait_for(lambda: [event.kind for event in events] == ['stopped', 'started'], 10)


def test_a_call_before_the_start_takes_no_events_away(host: Host) -> None:
    events: list[GuestEvent] = []
    assert host.healthy() is None
    host.start(events.append)
    check_events(host, events)


def test_a_start_while_a_call_opens_the_connection(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[GuestEvent] = []
    reached: list[str] = []  # seen by a native thread whatever the mode, so neither side may wait for an event
    open_: Callable[[str], Any] = libvirt.open

    def slowly(uri: str) -> Any:
        connection = open_(uri)
        reached.append('opening')
        for _ in range(1000):
            if 'gate' in reached:
                break
            ctypes.CDLL(None).usleep(10_000)
        return connection
    monkeypatch.setattr(libvirt, 'open', slowly)
    caller = threading.Thread(target=host.healthy)
    caller.start()
    wait_for(lambda: reached)
    starter = threading.Thread(target=host.start, args=(events.append,))
    starter.start()
    wait_for(lambda: host._on_event is not None)
    reached.append('gate')
    for thread in (caller, starter):
        thread.join(120)
    check_events(host, events)


def test_stopped_and_started_again(host: Host) -> None:
    for _ in range(2):
        events: list[GuestEvent] = []
        host.start(events.append)
        check_events(host, events)
        host.stop()
        host.stop()
    host.healthy()
    events = []
    host.start(events.append)
    check_events(host, events)


def test_closing_what_was_never_started(host: Host) -> None:
    connection, closed = host.connection(), []
    connection.close = lambda: closed.append(connection)
    host.stop()
    assert closed == [connection]
