"""What holds when a claim and a release of one server meet: two connections, stepped by hand, on every database."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from compute import exception
from compute.conductor import delete
from compute.db import claims, claims_audit, claims_together, instances
from compute.db.session import Database
from compute.objects.request_spec import INCOMING, RequestSpec, ServerGroup
from tests.contract.db.claims_contract import assert_sound, claim, make_group, used
from tests.contract.db.stores import add_host, add_server

HANGS = 120.0  # seconds after which a wait means that a test hangs


@contextmanager
def at_the_row(database: Database, thread_name: str) -> Iterator[threading.Event]:
    """Set the event when a thread is about to run its first statement that locks a row of ``instances``."""
    reached = threading.Event()

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        locks = statement.startswith('UPDATE instances') or ('FROM instances' in statement
                                                             and 'FOR UPDATE' in statement)
        if locks and threading.current_thread().name.startswith(thread_name):
            reached.set()
    sa.event.listen(database.engine, 'before_cursor_execute', note)
    try:
        yield reached
    finally:
        sa.event.remove(database.engine, 'before_cursor_execute', note)


def forget(database: Database, spec: RequestSpec) -> None:
    """End a server as a delete does."""
    def write(connection: Connection) -> None:
        if (server := instances.find(connection, spec.instance_uuid)) is not None:
            delete.forget(connection, server)
    database.transaction(write)


def release(database: Database, spec: RequestSpec) -> None:
    """Release a server's claims and take it off its host, as a failed build does."""
    def write(connection: Connection) -> None:
        claims.release(connection, spec.instance_uuid)
        instances.update(connection, spec.instance_uuid, host=None, node=None)
    database.transaction(write)


def take(connection: Connection, spec: RequestSpec, place: int) -> object:
    return claims.take_or_refuse(connection, spec, place)


def take_together(connection: Connection, spec: RequestSpec, place: int) -> object:
    return claims_together.take_together(connection, [(spec, place)])


def settle(connection: Connection, spec: RequestSpec, place: int) -> object:
    return claims.settle(connection, spec.instance_uuid, outgoing=True)


def moving(database: Database, group: ServerGroup | None = None) -> tuple[int, int, RequestSpec]:
    """Return two hosts, and the request for the second one of a server on the first that operation 7 moves."""
    first, second = add_host(database, 'one'), add_host(database, 'two')
    spec = add_server(database, group=group)
    assert claim(database, spec, first)
    database.transaction(lambda connection: instances.update(connection, spec.instance_uuid, operation_id=7))
    return first, second, dataclasses.replace(spec, purpose=INCOMING, operation_id=7)


def meet(database: Database, spec: RequestSpec, place: int, claims_it: Callable[..., object],
         ends_it: Callable[[Database, RequestSpec], None]) -> None:
    """Commit a claim at the moment at which another connection is about to lock the server's row."""
    with at_the_row(database, 'ends') as reached, ThreadPoolExecutor(1, 'ends') as pool:
        def write(connection: Connection) -> Any:
            claims_it(connection, spec, place)
            ending = pool.submit(ends_it, database, spec)
            # SQLite has one writer: there the other has not begun while this transaction goes on.
            assert database.kind == 'sqlite' or reached.wait(HANGS), 'it ended without locking the server'
            return ending
        database.transaction(write).result(HANGS)


class MeetingContract:
    """One host, one server."""

    @pytest.mark.parametrize('claims_it', [take, take_together])
    @pytest.mark.parametrize('ends_it', [forget, release])
    def test_nothing_is_left_of_a_claim_that_meets_a_release(
            self, database: Database, claims_it: Callable[..., object],
            ends_it: Callable[[Database, RequestSpec], None]) -> None:
        place = add_host(database, 'one')
        spec = add_server(database)
        meet(database, spec, place, claims_it, ends_it)
        assert used(database, place) == (0, 0, 0, 0)
        assert_sound(database)

    def test_the_seat_in_a_group_goes_with_the_claim(self, database: Database) -> None:
        place = add_host(database, 'one')
        group = make_group(database, 'anti-affinity')
        spec, next_one = add_server(database, group=group), add_server(database, group=group)
        meet(database, spec, place, take, forget)
        assert_sound(database)
        assert claim(database, next_one, place), 'the only seat of the host is free again'

    @pytest.mark.parametrize('policy', [None, 'anti-affinity'])
    def test_a_delete_that_meets_a_claim_of_a_new_place_frees_both(self, database: Database,
                                                                   policy: str | None) -> None:
        first, second, spec = moving(database, make_group(database, policy) if policy else None)
        meet(database, spec, second, take, forget)
        assert (used(database, first), used(database, second)) == ((0, 0, 0, 0), (0, 0, 0, 0))
        assert_sound(database)
        with pytest.raises(exception.NotFound) as caught:  # a scheduler that comes too late
            claim(database, spec, second)
        assert caught.value.code == 'instance_deleted' and used(database, second) == (0, 0, 0, 0)

    def test_a_delete_that_meets_the_end_of_a_move_frees_both(self, database: Database) -> None:
        first, second, spec = moving(database)
        assert claim(database, spec, second)
        meet(database, spec, second, settle, forget)
        assert (used(database, first), used(database, second)) == ((0, 0, 0, 0), (0, 0, 0, 0))
        assert_sound(database)

    def test_an_undo_that_meets_the_end_of_a_move_frees_one_place(self, database: Database) -> None:
        """Whoever is first wins: the claim that was settled is no incoming one any more."""
        first, second, spec = moving(database)
        assert claim(database, spec, second)

        def undo(database: Database, spec: RequestSpec) -> None:
            database.transaction(lambda connection: claims.release(connection, spec.instance_uuid, INCOMING))
        meet(database, spec, second, settle, undo)
        assert (used(database, first)[3], used(database, second)[3]) == (0, 1)
        assert database.read(lambda connection: instances.get(connection, spec.instance_uuid)).host == 'two'
        assert_sound(database)

    def test_a_claim_for_an_operation_that_ended_is_refused(self, database: Database) -> None:
        """Its answer comes late: the build has failed meanwhile, or a delete goes on with the server."""
        place = add_host(database, 'one')
        spec = add_server(database, operation_id=7)
        database.transaction(lambda connection: instances.update(connection, spec.instance_uuid, operation_id=8))
        with pytest.raises(exception.NotFound) as caught:
            claim(database, spec, place)
        assert caught.value.code == 'operation_ended'
        with pytest.raises(claims.Refused):
            database.transaction(lambda connection: take_together(connection, spec, place))
        assert database.read(claims_audit.missing) == []
        assert used(database, place) == (0, 0, 0, 0)
        database.transaction(lambda connection: instances.update(connection, spec.instance_uuid, operation_id=7))
        assert claim(database, spec, place)
