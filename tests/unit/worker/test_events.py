"""Waiting for events that come before, after, as failures, or never."""

from __future__ import annotations

import threading

import pytest

from compute import exception
from compute.objects.events import ExternalEvent
from compute.worker.events import EventBook

PLUGGED = 'network-vif-plugged'


def event(tag: str = 'p', status: str = 'completed', uuid: str = 'u') -> ExternalEvent:
    return ExternalEvent(instance_uuid=uuid, name=PLUGGED, tag=tag, status=status)


def nothing() -> None:
    """Never cancelled."""


def test_an_event_before_the_wait_counts() -> None:
    book = EventBook()
    with book.expect('u', PLUGGED) as expected:
        book.note(event())
        expected.need('p')
        expected.wait(5, nothing, lambda tag: None)


def test_an_event_after_it() -> None:
    book = EventBook()
    with book.expect('u', PLUGGED) as expected:
        expected.need('p')
        threading.Timer(0.05, lambda: (book.note(event(uuid='other')), book.note(event()))).start()
        expected.wait(5, nothing, lambda tag: None)


def test_a_lost_event_is_seen_by_looking() -> None:
    book = EventBook()
    with book.expect('u', PLUGGED) as expected:
        expected.need('p')
        expected.wait(5, nothing, lambda tag: 'completed', every=0.01)


def test_failure_and_time_say_what_is_missing() -> None:
    book = EventBook()
    with book.expect('u', PLUGGED) as expected:
        expected.need('p')
        book.note(event(status='failed'))
        with pytest.raises(exception.Retry, match='p failed'):
            expected.wait(5, nothing, lambda tag: None)
    with book.expect('u', PLUGGED) as expected:
        expected.need('q')
        with pytest.raises(exception.Retry, match='q did not come'):
            expected.wait(0.01, nothing, lambda tag: None)


@pytest.mark.parametrize(('status', 'seconds'), [('failed', 5), ('', 0.01)])
def test_a_failure_and_a_timeout_say_what_the_neighbour_knows(status: str, seconds: float) -> None:
    book = EventBook()
    with book.expect('u', PLUGGED) as expected:
        expected.need('p')
        if status:
            book.note(event(status=status))
        with pytest.raises(exception.Retry, match='p .*: PermissionError of p'):
            expected.wait(seconds, nothing, lambda tag: None, reason=lambda tag: f'PermissionError of {tag}')


def test_cancelling_ends_the_wait() -> None:
    book = EventBook()

    def cancelled() -> None:
        raise exception.Stale('deleted')
    with book.expect('u', PLUGGED) as expected:
        expected.need('p')
        with pytest.raises(exception.Stale):
            expected.wait(5, cancelled, lambda tag: None)
