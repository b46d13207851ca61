"""One question for many: what all want to know of the same peer, who may be slow, is asked once at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from compute import exception


class Together:
    """Asks one question for all who want to ask it: who comes while a question is on its way waits for the next one.

    ``ask`` takes numbers and returns those of them for which the answer is no.
    """

    def __init__(self, ask: Callable[[tuple[int, ...]], tuple[int, ...]]) -> None:
        self._ask = ask
        self._guard, self._line = threading.Lock(), threading.Lock()
        self._next: _Question | None = None

    def about(self, number: int) -> bool:
        """Return the answer for a number, asked after this was called. What ``ask`` raises is raised to each."""
        with self._guard:
            leads, question = self._next is None, self._next or _Question()
            question.numbers.append(number)
            self._next = question
        if leads:
            with self._line:
                with self._guard:
                    self._next = None
                question.put(self._ask)
        question.answered.wait()
        if question.error is not None:
            raise question.error
        return number not in question.no


class _Question:
    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.no: tuple[int, ...] = ()
        self.error: exception.ComputeError | None = None
        self.answered = threading.Event()

    def put(self, ask: Callable[[tuple[int, ...]], tuple[int, ...]]) -> None:
        """Ask, and tell those who wait."""
        self.error = exception.Unavailable('the question was broken off', code='report_unheard')
        try:
            self.no = ask(tuple(self.numbers))
            self.error = None
        except exception.ComputeError as error:
            self.error = error
        finally:
            self.answered.set()
