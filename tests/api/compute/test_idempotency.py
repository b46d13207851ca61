"""Idempotency-Key on the Compute API: what comes again is answered again and not done again."""

from __future__ import annotations

import datetime
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
import webob

from compute.conductor.janitor import _purge_answers
from compute.db import instances
from compute.db.tables import idempotency
from compute.objects.value import now
from compute.rest.idempotency import REPLAYED
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER
from tests.api.compute.serving import LATEST, Servers


def post(servers: Servers, path: str, body: Any, key: str = 'once', *, token: str = MEMBER,
         version: str = LATEST) -> webob.Response:
    """Send a request with a key."""
    request = webob.Request.blank(path, method='POST', headers={
        'X-Auth-Token': token, 'Idempotency-Key': key, 'OpenStack-API-Version': f'compute {version}'})
    request.content_type, request.body = 'application/json', json.dumps(body).encode()
    return request.get_response(servers.api.wsgi)


def create(servers: Servers, key: str = 'once', token: str = MEMBER, **changes: Any) -> webob.Response:
    return post(servers, '/v2.1/servers', servers.request(**changes), key, token=token)


def lose_answers(servers: Servers) -> None:
    """Let the API have died before it could keep any answer."""
    def lose(connection: sa.Connection) -> None:
        connection.execute(idempotency.update().values(answer=None, created_at=now() - datetime.timedelta(seconds=60)))
    servers.api.db.transaction(lose)


def all_servers(servers: Servers) -> list[Any]:
    return list(servers.api('GET', '/servers')['servers'])


def test_twenty_at_once_make_one_server(servers: Servers) -> None:
    servers.api.conf.set_override('instances', 1, 'quota')
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: create(servers), range(20)))
    assert {(answer.status_int, answer.body) for answer in answers} == {(202, answers[0].body)}
    assert answers[0].json['server']['adminPass'] and answers[0].headers['Location']
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    assert len(all_servers(servers)) == 1 and len(servers.api.rpc.sent) == 1
    assert create(servers, name='other').status_int == 409
    other = create(servers, token=OTHER)
    assert REPLAYED not in other.headers and other.body != answers[0].body


def test_a_create_whose_answer_was_lost_is_rebuilt_without_its_password(servers: Servers) -> None:
    first = create(servers, security_groups=[{'name': 'web'}])
    lose_answers(servers)
    again = create(servers, security_groups=[{'name': 'web'}])
    told = first.json['server']
    assert told.pop('adminPass')
    assert (again.status_int, again.json['server'], again.headers['Location']) == (
        202, told, first.headers['Location'])
    assert again.headers[REPLAYED] == servers.operations(told['id'])[0].request_id
    assert len(all_servers(servers)) == 1


@pytest.mark.parametrize('reservation', [True, False])
def test_many_servers_are_made_once(servers: Servers, reservation: bool) -> None:
    asked = {'min_count': 2, 'max_count': 3, 'return_reservation_id': reservation}
    first = create(servers, **asked)
    assert create(servers, **asked).body == first.body and len(all_servers(servers)) == 3
    lose_answers(servers)
    again = create(servers, **asked)
    if reservation:
        assert again.json == first.json and again.json['reservation_id']
    else:
        assert again.json['server']['id'] == first.json['server']['id']
    assert len(all_servers(servers)) == 3


def test_an_action_is_done_once(servers: Servers) -> None:
    server = servers.insert()
    path = f'/v2.1/servers/{server.uuid}/action'
    for lost in (False, True):
        answers = [post(servers, path, {'reboot': {'type': 'HARD'}}) for _ in range(2)]
        assert [(answer.status_int, answer.body) for answer in answers] == [(202, b'')] * 2
        assert len(servers.operations(server.uuid)) == 1
        if not lost:
            lose_answers(servers)
    assert post(servers, path, {'reboot': {'type': 'SOFT'}}).status_int == 409


def test_a_refused_action_may_be_tried_again(servers: Servers) -> None:
    server = servers.insert(vm_state='stopped')
    path = f'/v2.1/servers/{server.uuid}/action'
    assert post(servers, path, {'os-stop': None}).status_int == 409
    servers.set(server.uuid, vm_state='active')
    answer = post(servers, path, {'os-stop': None})
    assert answer.status_int == 202 and REPLAYED not in answer.headers


def test_a_server_that_is_gone_was_still_deleted(servers: Servers) -> None:
    server = servers.insert()
    path = f'/v2.1/servers/{server.uuid}/action'
    assert post(servers, path, {'forceDelete': None}).status_int == 202
    servers.api.db.transaction(lambda connection: instances.update(connection, server.uuid, deleted=True))
    assert post(servers, path, {'forceDelete': None}).status_int == 202
    assert post(servers, path, {'forceDelete': None}, 'another').status_int == 404


def test_a_private_key_is_answered_again_and_not_kept_in_clear(servers: Servers) -> None:
    body = {'keypair': {'name': 'mine'}}
    first = post(servers, '/v2.1/os-keypairs', body, version='2.2')
    assert 'PRIVATE KEY' in first.text
    assert post(servers, '/v2.1/os-keypairs', body, version='2.2').body == first.body
    (row,) = servers.api.db.rows(sa.select(idempotency))
    assert b'PRIVATE' not in row.answer and b'mine' not in row.answer
    lose_answers(servers)
    lost = post(servers, '/v2.1/os-keypairs', body, version='2.2')
    assert lost.status_int == 409 and row.request_id in lost.text and 'was lost' in lost.text


def test_a_console_is_read_anew_and_its_log_is_not_kept(servers: Servers) -> None:
    path = f'/v2.1/servers/{servers.insert().uuid}/action'
    for text in ('one', 'two'):
        servers.api.rpc.answers['console_output'] = text
        answer = post(servers, path, {'os-getConsoleOutput': {}})
        assert (answer.status_int, answer.json) == (200, {'output': text}) and REPLAYED not in answer.headers
    assert servers.api.db.rows(sa.select(idempotency)) == []


def test_the_versions_and_paths_of_the_api_share_their_keys(servers: Servers) -> None:
    assert create(servers).status_int == 202
    assert post(servers, '/v2/servers', servers.request()).status_int == 409
    assert post(servers, '/v2.1/flavors', {'flavor': {'name': 'a', 'ram': 1, 'vcpus': 1, 'disk': 1}},
                token=ADMIN).status_int == 200


def test_the_janitor_forgets_in_batches(servers: Servers) -> None:
    for number in range(5):
        post(servers, '/v2.1/os-keypairs', {'keypair': {'name': f'k{number}', 'public_key': _KEY}}, f'key-{number}')
    lose_answers(servers)
    before = now() - datetime.timedelta(seconds=30)
    counts = [servers.api.db.transaction(lambda connection: _purge_answers(connection, before, 2)) for _ in range(3)]
    assert counts == [2, 2, 1] and servers.api.db.rows(sa.select(idempotency)) == []


_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqIwjkOHS7A5UqKb1Nv0k8bWlAqNGzRk1kLqPnNzEoV a@b'
