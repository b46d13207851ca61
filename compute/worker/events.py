"""Waiting for a neighbour's news: register what is expected, do what causes it, then wait.

News is a hint like every message: the waiter also looks for itself now and then (``look``), so a lost event costs a
moment and not a server.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from compute import context as ctx
from compute import exception
from compute.objects.events import ExternalEvent
from compute.rpc.worker import Events

PLUGGED = 'network-vif-plugged'


class Expected:
    """Events of one name that must come for one server, each with its tag. ``need`` may follow what causes them."""

    def __init__(self, book: EventBook, uuid: str, name: str) -> None:
        self._book, self._uuid, self._name = book, uuid, name
        self._needed: set[str] = set()
        self._seen: dict[str, str] = {}
        self._changed = threading.Condition()

    def need(self, tag: str) -> None:
        """Add a tag that must come; it may have come already."""
        with self._changed:
            self._needed.add(tag)

    def note(self, event: ExternalEvent) -> None:
        """Take an event in."""
        with self._changed:
            if event.name == self._name:
                self._seen[event.tag] = event.status
                self._changed.notify_all()

    def wait(self, timeout: float, check: Callable[[], None], look: Callable[[str], str | None],
             every: float = 4.0, reason: Callable[[str], str] = lambda tag: '') -> None:
        """Return when all have come. ``check`` may raise; ``look`` says what became of a tag that was not heard of.

        ``reason`` returns what the neighbour knows of a failure, empty for nothing; it must not raise.

        :raises Retry: one failed, or time ran out; the message names what is missing, and the reason.
        """
        begin = time.monotonic()
        next_look = begin + every
        while missing := self._missing(reason):
            check()
            if time.monotonic() - begin > timeout:
                raise exception.Retry(f'{self._name} of {", ".join(missing)} did not come within {timeout:.0f} s'
                                      f'{_because(reason(missing[0]))}',
                                      code='vif_plug_timeout',
                                      hint='see whether the network agent of the host runs')
            if time.monotonic() > next_look:
                self._look(missing, look)
                next_look = time.monotonic() + every

    def _missing(self, reason: Callable[[str], str]) -> list[str]:
        """Return what has not come, after waiting a moment for it. :raises Retry: one failed."""
        with self._changed:
            if not self._open():
                return []
            self._changed.wait(0.5)
            failed = [tag for tag in self._needed if self._seen.get(tag) == 'failed']
            if not failed:
                return self._open()
        raise exception.Retry(f'{self._name} of {failed[0]} failed{_because(reason(failed[0]))}',
                              code='vif_plug_failed', hint='see the log of the network agent of the host')

    def _open(self) -> list[str]:
        return sorted(tag for tag in self._needed if self._seen.get(tag) != 'completed')

    def _look(self, missing: list[str], look: Callable[[str], str | None]) -> None:
        for tag in missing:
            if (status := look(tag)) is not None:
                with self._changed:
                    self._seen[tag] = status

    def __enter__(self) -> Expected:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._book.drop(self._uuid, self)


def _because(reason: str) -> str:
    return f': {reason}' if reason else ''


class EventBook:
    """Who waits for what on this host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expected: dict[str, list[Expected]] = {}

    def expect(self, uuid: str, name: str) -> Expected:
        """Return something to wait on; events that come from now on are taken in."""
        expected = Expected(self, uuid, name)
        with self._lock:
            self._expected.setdefault(uuid, []).append(expected)
        return expected

    def note(self, event: ExternalEvent) -> None:
        """Give an event to those who wait for it."""
        with self._lock:
            waiting = list(self._expected.get(event.instance_uuid, ()))
        for expected in waiting:
            expected.note(event)

    def drop(self, uuid: str, expected: Expected) -> None:
        """Nobody waits on this any more."""
        with self._lock:
            waiting = self._expected.get(uuid, [])
            if expected in waiting:
                waiting.remove(expected)
            if not waiting:
                self._expected.pop(uuid, None)


class EventsEndpoint(Events):
    """Takes events from the API."""

    def __init__(self, book: EventBook) -> None:
        self._book = book

    def external_event(self, context: ctx.RequestContext, *, event: ExternalEvent) -> None:
        self._book.note(event)
