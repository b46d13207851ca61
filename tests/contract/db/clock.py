"""A clock that a test moves, in place of the one that the code was imported with."""

from __future__ import annotations

import datetime
import sys
from types import ModuleType

from compute.objects import value

START = datetime.datetime(2026, 1, 1)


class Clock:
    """The time. ``install`` puts it into every module that took ``objects.value.now``, ``remove`` takes it out."""

    def __init__(self) -> None:
        self.seconds = 0
        self._there: list[ModuleType] = []

    def __call__(self) -> datetime.datetime:
        return START + datetime.timedelta(seconds=self.seconds)

    def install(self) -> Clock:
        """Begin to be the time."""
        self._there = [module for name, module in list(sys.modules.items())
                       if name.startswith('compute.') and vars(module).get('now') is value.now
                       and module is not value]
        for module in self._there:
            vars(module)['now'] = self
        return self

    def remove(self) -> None:
        """Give the real time back."""
        for module in self._there:
            vars(module)['now'] = value.now
