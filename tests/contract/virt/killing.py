"""A worker of the libvirt driver that is killed between two steps, at each of them in turn."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.virt import fake_libvirt


class Killed(BaseException):
    """The worker ends here."""


class Steps:
    """Ends the worker before or after the step with a number, of those that change something on the host."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left: int | None = None
        changing = {os: ('rename', 'replace', 'unlink', 'mkdir', 'link', 'rmdir', 'truncate', 'pwrite'),
                    subprocess: ('run',), fake_libvirt.Connection: ('defineXML',),
                    fake_libvirt.Domain: ('undefineFlags', 'destroy', 'createWithFlags')}
        for owner, name in ((owner, name) for owner, names in changing.items() for name in names):
            monkeypatch.setattr(owner, name, self._step(getattr(owner, name)))

    def _step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._pass()
            result = function(*args, **kwargs)
            self._pass()
            return result
        return stepped

    def _pass(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            self._left = None
            raise Killed

    def each(self, prepare: Callable[[], None], act: Callable[[], object]) -> Iterator[int]:
        """Prepare, act and be killed, once at each step; what the caller checks follows on each time."""
        for number in range(1000):
            prepare()
            self._left = number
            try:
                act()
            except Killed:
                yield number
            else:
                self._left = None
                assert number > 2
                return
        raise AssertionError('it never ends')
