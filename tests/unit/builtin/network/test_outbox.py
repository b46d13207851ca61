"""Events for Compute: sent once, kept while they cannot be."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from compute.builtin.network.db import tables as t
from compute.builtin.network.outbox import Outbox
from compute.db.session import Database
from compute.exception import NotFound, Unavailable
from compute.objects.value import now
from tests.api.network.serving import make_conf


class Compute:
    """Takes events, or refuses as told. ``unknown`` servers get a 404 of their own when asked alone."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.down = False
        self.unknown: set[str] = set()
        self.codes: dict[str, int] = {}

    def send(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.down:
            raise Unavailable('Compute does not answer')
        if any(event['server_uuid'] in self.unknown for event in events):
            raise NotFound('No instances found for any event')
        self.taken += [event['tag'] for event in events]
        return [{**event, 'code': self.codes.get(event['tag'], 200)} for event in events]


class Post:
    """A store with an outbox, and Compute."""

    def __init__(self, url: str) -> None:
        self.conf = make_conf(url)
        self.database = Database(url, self.conf.database)
        self.database.transaction(t.metadata.create_all)
        self.compute = Compute()
        self.outbox = Outbox(self.database, self.conf.network, self.compute)

    def put(self, tag: str, server: str = 's', age: float = 0) -> None:
        at = now() - datetime.timedelta(seconds=age)
        self.database.transaction(lambda connection: connection.execute(t.outbox.insert().values(
            name='network-vif-plugged', server_uuid=server, tag=tag, status='completed', created_at=at, due_at=at)))

    def make_due(self) -> None:
        self.database.transaction(lambda connection: connection.execute(t.outbox.update().values(due_at=now())))

    def waiting(self) -> list[tuple[str, int]]:
        return [tuple(row) for row in self.database.rows(sa.select(t.outbox.c.tag, t.outbox.c.attempts))]


@pytest.fixture
def post(tmp_path: Any) -> Post:
    return Post(f'sqlite:///{tmp_path}/o.sqlite')


def test_in_order_and_once(post: Post) -> None:
    for tag in 'abc':
        post.put(tag)
    assert (post.outbox.drain(), post.outbox.drain()) == (3, 0)
    assert post.compute.taken == ['a', 'b', 'c'] and post.outbox.pending() == 0


def test_kept_while_compute_is_away(post: Post) -> None:
    post.put('a')
    post.compute.down = True
    assert post.outbox.drain() == 0
    assert post.outbox.drain() == 0, 'not due before its delay is over'
    assert post.waiting() == [('a', 1)]
    post.compute.down = False
    post.make_due()
    assert post.outbox.drain() == 1 and post.compute.taken == ['a']


def test_an_unknown_server_does_not_stop_the_others(post: Post) -> None:
    post.put('a')
    post.put('b', server='gone')
    post.put('c')
    post.compute.unknown = {'gone'}
    assert post.outbox.drain() == 3
    assert post.compute.taken == ['a', 'c'] and post.outbox.pending() == 0


def test_a_server_without_host_gets_it_later(post: Post) -> None:
    post.put('a')
    post.put('b')
    post.compute.codes = {'a': 422}
    post.outbox.drain()
    assert post.waiting() == [('a', 1)]
    for _ in range(10):
        post.make_due()
        post.outbox.drain()
    assert post.waiting() == [], 'but not for ever'


def test_given_up_when_too_old(post: Post) -> None:
    post.put('a', age=4000)
    post.compute.down = True
    post.outbox.drain()
    assert post.waiting() == []


def test_two_daemons_send_each_event_once(post: Post) -> None:
    post.put('a')
    other = Outbox(post.database, post.conf.network, post.compute)
    mine = post.outbox._claim(post.outbox._due())
    assert [row['tag'] for row in mine] == ['a'] and other.drain() == 0


def test_of_events_that_both_see_each_takes_some(post: Post) -> None:
    """Both looked before either took: one takes the first, and the other what is left."""
    post.put('a')
    other = Outbox(post.database, post.conf.network, post.compute)
    early = other._due()
    post.put('b')
    late = post.outbox._due()
    assert [row['tag'] for row in other._claim(early)] == ['a']
    assert [row['tag'] for row in post.outbox._claim(late)] == ['b']
    assert post.outbox._claim(late) == other._claim(early) == []
