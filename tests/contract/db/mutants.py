"""Queries of the ledger with one condition taken out: what a test of the ledger has to notice.

The text of the real function is changed, so that a mutant is never a copy that has fallen behind.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator

from compute.db import operations

MUTANTS: dict[str, tuple[str, str, str]] = {
    # name: (function, what its text has, what stands there instead)
    'a lease is taken before it runs out': ('_take', '.in_(_OPEN), free]', '.in_(_OPEN)]'),
    'a lease that ran out is never taken': ('_take', 'table.c.lease_until < time, mine)', 'mine)'),
    'an ended operation is leased': ('_take', 'table.c.state.in_(_OPEN), free', 'free'),
    'an old incarnation reports': ('is_held', "_HELD, {'id': operation_id, 'owner': owner, 'incarnation': incarnation}",
                                   'sa.select(table).where(table.c.id == operation_id, table.c.state == op.RUNNING, '
                                   'table.c.owner == owner)'),
    'an old incarnation renews': ('renew', 'table.c.owner == owner,\n                   '
                                  'table.c.incarnation == incarnation)', 'table.c.owner == owner)'),
    'a reaper takes what moved since it looked': ('seize', ', *_as_seen(expected))', ')'),
    'a reaper frees what moved since it looked': ('hand_over', ', *_as_seen(expected))', ')'),
    'an operation ends twice': ('end', 'table.c.id == operation.id, table.c.state.in_(_OPEN)).values',
                                'table.c.id == operation.id).values'),
    'the reaper overlooks what is past its deadline': ('overdue', ', table.c.deadline_at < time)', ')'),
    'a conductor hands back what is another\'s': ('hand_back', 'sa.or_(mine, waiting)', 'sa.true()'),
}


@contextlib.contextmanager
def mutant(name: str) -> Iterator[None]:
    """Let a mutant stand in the place of its original."""
    function, text, instead = MUTANTS[name]
    original = getattr(operations, function)
    source = inspect.getsource(original)
    assert source.count(text) == 1, f'{function} has changed: its mutant {name!r} has to follow'
    made: dict[str, object] = {}
    exec(compile(source.replace(text, instead), f'<mutant of {function}>', 'exec'),  # noqa: S102
         vars(operations), made)
    setattr(operations, function, made[function])
    try:
        yield
    finally:
        setattr(operations, function, original)
