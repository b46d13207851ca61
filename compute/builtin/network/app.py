"""The object behind the API's handlers: the store, the options, and what has to be told after a transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from compute.builtin.network.control.changes import Changes, Work
from compute.db.session import Database

T = TypeVar('T')


class Network:
    """``told`` is called with the changes of each transaction once it is committed; it must not block for long."""

    def __init__(self, database: Database, options: Any, told: Callable[[Changes], None]) -> None:
        self.database, self.options, self._told = database, options, told

    def do(self, function: Callable[[Work], T]) -> T:
        """Run ``function`` in one transaction; agents and Compute are told of it afterwards."""
        def once(connection: Connection) -> tuple[T, Changes]:
            work = Work(connection, self.options)
            return function(work), work.changes
        result, changes = self.database.transaction(once)
        self._told(changes)
        return result

    def look(self, function: Callable[[Work], T]) -> T:
        """Run a function that only reads."""
        return self.database.read(lambda connection: function(Work(connection, self.options)))
