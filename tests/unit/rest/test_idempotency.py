"""What the kernel does with an Idempotency-Key, over WSGI and a store of its own."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
import webob
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from compute import conf as options
from compute import context as ctx
from compute.db.session import Database
from compute.db.tables import idempotency as table
from compute.exception import Conflict, Forbidden, NotFound, Unavailable
from compute.objects.value import now
from compute.rest.errors import compute_shape
from compute.rest.idempotency import HEADER, REPLAYED, Answers
from compute.rest.kernel import Api, Kernel
from compute.rest.op import Op, Resource, nothing
from compute.rest.policy import Policy
from compute.rest.reply import Reply
from compute.rest.versions import Negotiation, Version

PROJECT = '0123456789abcdef0123456789abcdef'
things = sa.Table('things', sa.MetaData(), sa.Column('id', sa.Integer, primary_key=True), sa.Column('name', sa.Text))


class Things:
    """The object behind the handlers: a store, and what a handler shall do beside its writing."""

    def __init__(self, database: Database) -> None:
        self.database, self.before, self.after = database, _nothing, _nothing

    def add(self, name: str) -> int:
        """Write one, in a transaction of its own."""
        return self.database.transaction(
            lambda connection: connection.execute(things.insert().values(name=name)).inserted_primary_key[0])

    def count(self) -> int:
        """Return how many there are."""
        return int(self.database.scalar(sa.select(sa.func.count()).select_from(things)))


def _nothing() -> None:
    pass


def _create(call: Any) -> Reply:
    call.app.before()
    number = call.app.add('a')
    call.app.after()
    return Reply({'thing': {'id': number, 'secret': 'swordfish'}}, headers={'Location': f'/things/{number}'})


def _act(call: Any) -> None:
    call.app.add('acted')
    call.app.after()


def _gone(call: Any) -> None:
    raise NotFound('It is gone')


OPS = (
    Op('POST', '/things', _create, policy='anybody', status=202),
    Op('POST', '/rebuilt', _create, policy='anybody', status=202, again=lambda call, request_id: {'by': request_id}),
    Op('POST', '/public', _create, public=True),
    Op('POST', '/read', lambda call: {'at': len(call.app.seen) if call.app.seen.append(1) is None else 0},
       policy='anybody'),
    Op('POST', '/shown', lambda call: {'count': call.app.count()}, policy='anybody', reads=True),
    Op('GET', '/things', lambda call: {'count': call.app.count()}, policy='anybody'),
    Op('ACTION', 'do', _act, policy='anybody', status=202, again=nothing),
    Op('ACTION', 'end', _act, policy='anybody', loads=lambda call: call.app.load(), status=202),
)


class Site:
    """A kernel with things, and requests to it."""

    def __init__(self, database: Database) -> None:
        self.database, self.app = database, Things(database)
        self.app.seen = []  # type: ignore[attr-defined]
        conf = cfg.ConfigOpts()
        conf([], project='test')
        self.kernel = Kernel(Api(
            'test', (Resource('things', OPS, actions='/things/{id}/action'),), self.app,
            Policy(conf, [oslo_policy.RuleDefault('anybody', 'role:member')]), compute_shape, '/v2.1',
            Negotiation('compute', Version.of('2.1'), Version.of('2.104'), 'X-OpenStack-Nova-API-Version'),
            answers=Answers(database, table)))

    def post(self, path: str = '/things', body: Any = None, key: str | None = 'once', *, user: str = 'u',
             project: str = PROJECT, version: str = '2.1', method: str = 'POST', known: bool = True,
             role: str = 'member') -> webob.Response:
        """Send one request."""
        request = webob.Request.blank(path, method=method, headers={'OpenStack-API-Version': f'compute {version}'})
        if body is not None:
            request.body, request.content_type = body if isinstance(body, bytes) else orjson.dumps(body), \
                'application/json'
        if key is not None:
            request.headers[HEADER] = key
        if known:
            request.environ['compute.context'] = ctx.RequestContext(user_id=user, project_id=project, roles=[role])
        return request.get_response(self.kernel)

    def age(self, seconds: float) -> None:
        """Let what was asked be so old."""
        self.database.transaction(lambda connection: connection.execute(
            table.update().values(created_at=now() - datetime.timedelta(seconds=seconds))))

    def rows(self) -> list[Any]:
        """Return what is noted."""
        return self.database.rows(sa.select(table))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    database = Database(f'sqlite:///{tmp_path}/x.sqlite', conf.database)
    things.metadata.create_all(database.engine)
    table.create(database.engine)
    yield Site(database)
    database.dispose()


def raising(error: BaseException) -> Callable[[], None]:
    def function() -> None:
        raise error
    return function


def code_of(answer: webob.Response) -> tuple[int, str]:
    """Return status and message of a refusal."""
    (body,) = answer.json.values()
    return answer.status_int, body['message']


def test_the_same_request_is_done_once_and_answered_the_same(site: Site) -> None:
    first = site.post(body={'a': 1, 'b': 2})
    again = site.post(body=b'{"b": 2, "a": 1}')
    assert (again.status_int, again.body) == (first.status_int, first.body) == (202, first.body)
    assert again.headers['Location'] == first.headers['Location'] and again.content_type == 'application/json'
    assert REPLAYED not in first.headers and again.headers[REPLAYED].startswith('req-')
    assert again.headers['OpenStack-API-Version'] == first.headers['OpenStack-API-Version']
    assert site.app.count() == 1


@pytest.mark.parametrize('other', [
    {'body': {'a': 2}}, {'body': {'a': 1, 'b': 1}}, {'body': None}, {'path': '/rebuilt'}, {'path': '/things?x=1'},
    {'version': '2.2'}])
def test_a_key_is_for_one_request(site: Site, other: dict[str, Any]) -> None:
    request = {'path': '/things', 'body': {'a': 1}}
    assert site.post(**request).status_int == 202
    status, words = code_of(site.post(**{**request, **other}))
    assert status == 409 and HEADER in words and 'another request' in words
    assert site.app.count() == 1


@pytest.mark.parametrize('other', [{'user': 'v'}, {'project': 'f' * 32}, {'key': 'twice'}, {'key': None}])
def test_a_key_is_its_users_own(site: Site, other: dict[str, Any]) -> None:
    assert site.post().json['thing']['id'] == 1
    answer = site.post(**other)
    assert answer.json['thing']['id'] == 2 and REPLAYED not in answer.headers


@pytest.mark.parametrize('key', ['', 'x' * 129, 'tab\there', 'caf\xe9'])
def test_a_malformed_key_is_named(site: Site, key: str) -> None:
    status, words = code_of(site.post(key=key))
    assert status == 400 and HEADER in words and site.app.count() == 0
    assert site.post(key='x' * 128).status_int == 202


def test_a_refusal_leaves_the_key_free(site: Site) -> None:
    site.app.before = raising(Forbidden('no'))
    assert site.post().status_int == 403 and site.rows() == []
    assert site.post('/things/1/action', {'none': 1}).status_int == 400 and site.rows() == []
    assert site.post(role='reader').status_int == 403 and site.rows() == []
    site.app.before = raising(RuntimeError('broken'))
    assert site.post().status_int == 500 and site.rows() == []
    site.app.before = _nothing
    assert site.post().status_int == 202 and site.app.count() == 1


def test_a_refusal_after_the_effect_is_the_answer(site: Site) -> None:
    site.app.after = raising(Conflict('half'))
    assert code_of(site.post()) == (409, 'half')
    site.app.after = _nothing
    again = site.post()
    assert code_of(again) == (409, 'half') and REPLAYED in again.headers and site.app.count() == 1


def test_a_lost_answer_says_where_to_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('compute.rest.idempotency._PATIENCE', 0.0)
    site.app.after = raising(RuntimeError('died'))
    assert site.post().status_int == 500
    runs = site.post()
    assert runs.status_int == 409 and runs.headers['Retry-After'] == '1' and 'not been answered yet' in runs.text
    site.age(31)
    lost = site.post()
    assert lost.status_int == 409 and 'Retry-After' not in lost.headers
    (row,) = site.rows()
    assert row.request_id in lost.text and 'was lost' in lost.text and site.app.count() == 1


def test_a_lost_answer_is_rebuilt_where_that_can_be(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr('compute.rest.idempotency._PATIENCE', 0.0)
    site.app.after = raising(RuntimeError('died'))
    assert site.post('/rebuilt').status_int == 500
    again = site.post('/rebuilt')
    (row,) = site.rows()
    assert (again.status_int, again.json, again.headers[REPLAYED]) == (202, {'by': row.request_id}, row.request_id)
    assert site.post('/things/1/action', {'do': None}, 'act').status_int == 500
    acted = site.post('/things/1/action', {'do': None}, 'act')
    assert (acted.status_int, acted.body) == (202, b'') and site.app.count() == 2


def test_the_answer_to_what_is_gone_since(site: Site) -> None:
    site.app.load = lambda: {'project_id': PROJECT}  # type: ignore[attr-defined]
    assert site.post('/things/1/action', {'end': None}).status_int == 202
    site.app.load = raising(NotFound('It is gone'))  # type: ignore[attr-defined]
    assert site.post('/things/1/action', {'end': None}).status_int == 202
    assert site.post('/things/1/action', {'end': None}, 'other').status_int == 404


def test_of_equal_requests_at_once_one_is_done(site: Site) -> None:
    arrived = threading.Barrier(20)
    site.app.before = lambda: arrived.wait(120) and None
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: site.post(), range(20)))
    assert {answer.body for answer in answers} == {answers[0].body} and site.app.count() == 1
    assert sum(REPLAYED in answer.headers for answer in answers) == 19


def test_refused_for_what_its_twin_has_done(site: Site) -> None:
    def twin_first() -> None:
        site.app.before = _nothing
        assert site.post().status_int == 202
        raise Conflict('There is one already')
    # The twin has a store's thread of its own: a transaction's lead belongs to the request that began it.
    site.app.before = lambda: ThreadPoolExecutor(1).submit(twin_first).result()
    answer = site.post()
    assert answer.status_int == 202 and REPLAYED in answer.headers and site.app.count() == 1


def test_what_writes_nothing_is_answered_the_same_too(site: Site) -> None:
    assert site.post('/read').json == site.post('/read').json == {'at': 1}
    assert site.post('/read', key=None).json == {'at': 2}


def test_what_only_reads_takes_no_notice(site: Site) -> None:
    assert site.post('/shown').json == {'count': 0}
    assert site.post().status_int == 202
    assert site.post('/shown').json == {'count': 1} and len(site.rows()) == 1


def test_public_operations_and_other_methods_take_no_notice(site: Site) -> None:
    for known in (True, False):
        assert site.post('/public', known=known).status_int == 200
    assert site.app.count() == 2
    assert site.post(method='GET').json == {'count': 2}
    assert site.post(known=False).status_int == 401 and site.rows() == []


def test_nothing_is_stored_in_clear(site: Site, tmp_path: Path) -> None:
    site.post(body={'password': 'marlin'}, key='the-clients-key')
    assert 'swordfish' in site.post(body={'password': 'marlin'}, key='the-clients-key').text
    stored = b''.join(path.read_bytes() for path in tmp_path.iterdir())
    assert not [word for word in (b'swordfish', b'marlin', b'the-clients-key') if word in stored]


def test_what_is_old_is_forgotten(site: Site) -> None:
    answers = Answers(site.database, table)
    for key in ('a', 'b', 'c'):
        site.post(key=key)
    assert answers.forget(60) == 0
    site.age(61)
    assert answers.forget(60) == 3 and site.rows() == []
    assert site.post(key='a').json['thing']['id'] == 4


def test_an_answer_that_cannot_be_kept_is_given_all_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = sa.text("CREATE TRIGGER full BEFORE UPDATE ON compute_idempotency BEGIN SELECT RAISE(ABORT, 'full'); END")
    site.database.transaction(lambda connection: connection.execute(lock))
    assert site.post().status_int == 202
    (row,) = site.rows()
    assert row.answer is None


def test_a_damaged_answer_counts_as_lost(site: Site) -> None:
    site.post()
    site.database.transaction(lambda connection: connection.execute(table.update().values(answer=b'x' * 40)))
    status, words = code_of(site.post())
    assert status == 409 and 'was lost' in words


_EXPECTED = st.sampled_from(['done', 'refused', 'died before', 'died after'])


@given(st.lists(st.tuples(st.sampled_from('kl'), st.sampled_from([{'a': 1}, {'a': 2}]), _EXPECTED), max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_history_does_anything_twice(site: Site, history: list[tuple[str, Any, str]]) -> None:
    """Whatever is sent, refused or dies in which order: a key has one effect, of one body, and one answer."""
    site.database.transaction(lambda connection: [connection.execute(each.delete()) for each in (table, things)])
    first: dict[str, Any] = {}
    for key, body, fate in history:
        site.app.before = {'refused': raising(Forbidden('no')), 'died before': raising(OSError())}.get(fate, _nothing)
        site.app.after = raising(OSError()) if fate == 'died after' else _nothing
        answer = site.post('/rebuilt', body, key)
        if key in first:
            assert answer.status_int == (202 if first[key] == body else 409)
            assert (REPLAYED in answer.headers) == (answer.status_int == 202)
        elif fate.startswith('died'):
            assert answer.status_int == 500
        else:
            assert answer.status_int == (202 if fate == 'done' else 403) and REPLAYED not in answer.headers
        if key not in first and fate in ('done', 'died after'):
            first[key] = body
            site.age(31)  # nobody waits for the answers of the dead
        assert site.app.count() == len(first) == len(site.rows())


def test_a_commit_that_nobody_confirmed_is_found_by_the_next(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The effect and its note are there, and the request that made them was told that nobody knows."""
    monkeypatch.setattr('compute.rest.idempotency._PATIENCE', 0.0)
    committed = Database.transaction

    def unsure(self: Database, function: Any) -> Any:
        committed(self, function)
        self._leads.current.done = False
        raise Unavailable('The connection was lost at the commit', code='database_unsure')
    with monkeypatch.context() as patch:
        patch.setattr(Database, 'transaction', unsure)
        assert site.post('/rebuilt').status_int == 503
    again = site.post('/rebuilt')
    assert again.status_int == 202 and REPLAYED in again.headers and site.app.count() == 1
