"""Idempotency-Key on the Identity API, which never applies to a login."""

from __future__ import annotations

import sqlalchemy as sa

from compute.builtin.identity.db.tables import idempotency
from compute.rest.idempotency import REPLAYED
from tests.api.identity.cloud import ADMIN, Cloud, password, project

KEY = {'Idempotency_Key': 'once'}


def test_a_user_is_made_once(cloud: Cloud) -> None:
    body, token = {'user': {'name': 'eve', 'password': 'secret-of-eve'}}, cloud.admin
    first = cloud.send('POST', '/v3/users', body, token, **KEY)
    again = cloud.send('POST', '/v3/users', body, cloud.admin, **KEY)
    assert first.status_code == again.status_code == 201 and first.json == again.json and REPLAYED in again.headers
    assert cloud.send('POST', '/v3/users', body, token).status_code == 409
    body['user']['name'] = 'mallory'
    assert cloud.send('POST', '/v3/users', body, token, **KEY).status_code == 409


def test_the_secret_of_a_credential_is_told_again_and_not_kept_in_clear(cloud: Cloud) -> None:
    user, project_id = cloud.member()
    token = cloud.token(password('alice', 'alice'), {'project': {'id': project_id}})
    path, body = f'/v3/users/{user}/application_credentials', {'application_credential': {'name': 'robot'}}
    first = cloud.send('POST', path, body, token, **KEY)
    again = cloud.send('POST', path, body, token, **KEY)
    secret = first.json['application_credential']['secret']
    assert first.status_code == 201 and again.json == first.json
    (row,) = cloud.daemon.app.database.rows(sa.select(idempotency))
    assert secret.encode() not in row.answer


def test_tokens_are_never_kept(cloud: Cloud) -> None:
    body = {'auth': {'identity': password('admin', ADMIN), 'scope': project('admin')}}
    tokens = {cloud.send('POST', '/v3/auth/tokens', body, token, **KEY).headers['X-Subject-Token']
              for token in (None, None, cloud.admin)}
    assert len(tokens) == 3 and cloud.daemon.app.database.rows(sa.select(idempotency)) == []
