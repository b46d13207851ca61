"""The form of a change of data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.engine import Connection


@dataclass(frozen=True)
class DataMigration:
    """``step(connection, limit)`` changes ``limit`` rows at most and returns how many; ``left(connection)`` counts the
    rest.

    It may be stopped after any step and goes on where it was; daemons of the version before may add rows meanwhile, so
    it is over only when none of them runs.
    """

    name: str
    why: str
    step: Callable[[Connection, int], int]
    left: Callable[[Connection], int]
