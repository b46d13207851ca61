"""Circles of objects are collected in time: they hold sockets."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator

import pytest

from compute import memory


class Lost:
    """A connection in a circle with who uses it."""

    def __init__(self, end: socket.socket) -> None:
        self.end, self.user = end, self


@pytest.fixture
def collector() -> Iterator[None]:
    """A collector that does nothing by itself, as if the allocations to come were far away."""
    thresholds = gc.get_threshold()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_a_lost_connection_in_a_circle_is_closed(collector: None) -> None:
    here, there = socket.socketpair()
    used = Lost(here)
    gc.collect()  # it is of the oldest generation, as one that was in use for a while
    del used, here
    gc.collect(1)
    there.settimeout(0.1)
    with pytest.raises(TimeoutError):
        there.recv(1)
    stop = threading.Event()
    thread = threading.Thread(target=memory.collect, args=(stop, 0.05), daemon=True)
    thread.start()
    there.settimeout(120)
    assert there.recv(1) == b''
    stop.set()
    thread.join(120)
    assert not thread.is_alive()
    there.close()


def test_settling_waits_until_it_serves_and_ends_with_the_daemon(collector: None) -> None:
    serving, stop = threading.Event(), threading.Event()
    frozen = gc.get_freeze_count()
    thread = threading.Thread(target=memory.settle, args=(serving, stop), daemon=True)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive() and gc.get_freeze_count() == frozen
    serving.set()
    stop.set()
    thread.join(120)
    assert not thread.is_alive() and gc.get_freeze_count() > frozen
