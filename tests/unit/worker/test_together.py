"""Asking for many at once: nobody gets an answer that is older than the question, and nobody asks alone in a crowd."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from compute import exception
from compute.worker.together import Together
from tests.functional.standalone import wait_for


class Peer:
    """Answers when the test lets it: no to odd numbers."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, ...]] = []
        self.go_on = threading.Semaphore(0)
        self.error: exception.ComputeError | None = None

    def ask(self, numbers: tuple[int, ...]) -> tuple[int, ...]:
        self.asked.append(numbers)
        assert self.go_on.acquire(timeout=120)
        if self.error is not None:
            raise self.error
        return tuple(number for number in numbers if number % 2)


def test_who_comes_while_a_question_is_on_its_way_shares_the_next() -> None:
    peer = Peer()
    together = Together(peer.ask)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(together.about, 0)
        wait_for(lambda: peer.asked, 5, 'the first question')
        others = [pool.submit(together.about, number) for number in range(1, 8)]
        wait_for(lambda: together._next is not None and len(together._next.numbers) == 7, 5, 'the others')
        peer.go_on.release(2)
        assert [answer.result(120) for answer in (first, *others)] == [number % 2 == 0 for number in range(8)]
    assert peer.asked[0] == (0,) and sorted(peer.asked[1]) == list(range(1, 8)) and len(peer.asked) == 2


def test_one_after_the_other_each_asks_anew() -> None:
    peer = Peer()
    together = Together(peer.ask)
    peer.go_on.release(2)
    assert together.about(2) and not together.about(3)
    assert peer.asked == [(2,), (3,)]


def test_a_failure_is_everybodys_and_the_next_question_is_asked() -> None:
    peer = Peer()
    together = Together(peer.ask)
    peer.error = exception.Superseded('another one is this host now')
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(together.about, number) for number in range(3)]
        peer.go_on.release(3)
        for answer in answers:
            with pytest.raises(exception.Superseded):
                answer.result(120)
    peer.error = None
    peer.go_on.release(9)
    assert together.about(4)


def test_what_breaks_the_question_leaves_nobody_waiting() -> None:
    go_on = threading.Event()

    def broken(numbers: tuple[int, ...]) -> tuple[int, ...]:
        assert go_on.wait(120)
        raise ZeroDivisionError
    together = Together(broken)
    with ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(together.about, number) for number in range(3)]
        go_on.set()
        kinds = {type(answer.exception(10)) for answer in answers}
    assert kinds <= {ZeroDivisionError, exception.Unavailable} and ZeroDivisionError in kinds
