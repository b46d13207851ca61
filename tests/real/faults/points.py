"""How a test and the daemons of its cluster agree on where work is held and what goes wrong: files in one folder.

A *point* is a place that an operation passes: kind, stage, ``before`` or ``after`` the stage was written, and the
server's name. The test holds points; a daemon that passes a held one says so and waits there until it is let go. Only
the first to come is held: what goes on with the operation after a fault passes freely. A *switch* is a fault that is
on while its file exists, with a value. Only the standard library is used, so that a daemon can ask before it imports
anything.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path


class Points:
    """Both ends, over the same folder."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = str(folder)
        self._held, self._reached, self._switches = (
            os.path.join(folder, name) for name in ('held', 'reached', 'switches'))
        for path in (self._held, self._reached, self._switches):
            os.makedirs(path, exist_ok=True)

    # -- the test's end --

    def hold(self, points: Iterable[str]) -> None:
        """Hold whoever comes to one of these first."""
        for point in points:
            Path(self._held, point).touch()

    def reached(self, point: str) -> bool:
        """Tell whether somebody is, or was, at a point that was held."""
        return os.path.exists(os.path.join(self._reached, point))

    def let_go(self) -> None:
        """Hold nothing any more."""
        _empty(self._held)

    def forget(self) -> None:
        """Let everything go, forget what was reached, and turn all faults off."""
        for folder in (self._held, self._reached, self._switches):
            _empty(folder)

    def switch(self, name: str, value: str = '') -> None:
        """Turn a fault on."""
        scratch = Path(self._switches, f'.{name}')
        scratch.write_text(value)
        scratch.rename(Path(self._switches, name))

    def off(self, name: str) -> None:
        """Turn a fault off."""
        Path(self._switches, name).unlink(missing_ok=True)

    # -- the daemon's end --

    def pass_by(self, point: str) -> None:
        """Go on, or wait here as the first that comes to a held point."""
        held = os.path.join(self._held, point)
        if not os.path.exists(held):
            return
        try:
            os.close(os.open(os.path.join(self._reached, point), os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        while os.path.exists(held):
            time.sleep(0.02)

    def is_held(self, point: str) -> bool:
        """Tell whether passing this point now would hold the caller."""
        return os.path.exists(os.path.join(self._held, point)) and not self.reached(point)

    def value(self, name: str) -> str | None:
        """Return the value of a switch that is on, or None."""
        try:
            with open(os.path.join(self._switches, name)) as file:
                return file.read()
        except FileNotFoundError:
            return None

    def is_on(self, name: str) -> bool:
        """Tell whether a switch is on."""
        return os.path.exists(os.path.join(self._switches, name))


def point(kind: str, stage: str, when: str, server: str) -> str:
    """Return the name of a point. Servers are known by name here: a new one has no uuid yet when it is asked for."""
    return f'{kind}.{stage}.{when}.{server}'


def _empty(folder: str) -> None:
    for path in Path(folder).iterdir():
        path.unlink(missing_ok=True)
