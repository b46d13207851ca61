"""/v3/credentials: encrypted in the store, seen by their owner; what delegated tokens may do with them."""

from __future__ import annotations

import hashlib
import json
import pathlib
from typing import Any

import pytest
import sqlalchemy as sa

from compute.builtin.identity.db.credential_rows import reseal
from compute.builtin.identity.db.tables import credentials
from tests.api.identity.cloud import Cloud, password, project

PAIR = {'access': 'a' * 32, 'secret': 's' * 32}


def login(cloud: Cloud, name: str = 'alice') -> str:
    return cloud.token(password(name, name), project(f'{name}-project'))


def keep(cloud: Cloud, token: str, status: int = 201, **body: Any) -> Any:
    answer = cloud.send('POST', '/v3/credentials', {'credential': {'type': 'cert', 'blob': 'text', **body}}, token)
    assert answer.status_code == status, answer.text
    return answer.json['credential'] if status == 201 else answer.json['error']['message']


def robot(cloud: Cloud, user: str, token: str, **body: Any) -> str:
    """Return a token of an application credential."""
    made = cloud.send('POST', f'/v3/users/{user}/application_credentials',
                      {'application_credential': {'name': 'robot', **body}}, token).json['application_credential']
    return cloud.token({'methods': ['application_credential'],
                        'application_credential': {'id': made['id'], 'secret': made['secret']}})


def test_keep_see_change_delete(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    token = login(cloud)
    made = keep(cloud, token, type='totp', blob='SEED', project_id=project_id, colour='red')
    assert made == {'id': made['id'], 'type': 'totp', 'blob': 'SEED', 'user_id': user_id, 'project_id': project_id,
                    'colour': 'red', 'links': {'self': f'http://127.0.0.1:5000/v3/credentials/{made["id"]}'}}
    path = f'/v3/credentials/{made["id"]}'
    assert cloud.send('GET', path, token=token).json['credential'] == made
    changed = cloud.send('PATCH', path, {'credential': {'blob': 'ÖTHER'}}, token).json['credential']
    assert changed == {**made, 'blob': 'ÖTHER'} == cloud.send('GET', path, token=token).json['credential']
    keep(cloud, token)
    for query, count in (('', 2), ('?type=totp', 1), (f'?user_id={user_id}', 2), ('?type=none', 0), ('?limit=1', 1)):
        assert len(cloud.send('GET', f'/v3/credentials{query}', token=token).json['credentials']) == count, query
    assert cloud.send('DELETE', path, token=token).status_code == 204
    assert cloud.send('GET', path, token=token).status_code == 404


def test_the_store_holds_no_text_and_no_row_fits_another(cloud: Cloud) -> None:
    cloud.member()
    token = login(cloud)
    one, two = keep(cloud, token, blob='very secret'), keep(cloud, token, blob='other')
    database = cloud.daemon.app.database
    sealed = {row.id: row.sealed for row in database.rows(sa.select(credentials.c.id, credentials.c.sealed))}
    assert 'secret' not in str(sealed) and len(set(sealed.values())) == 2
    database.transaction(lambda connection: connection.execute(
        credentials.update().where(credentials.c.id == two['id']).values(sealed=sealed[one['id']])))
    answer = cloud.send('GET', f'/v3/credentials/{two["id"]}', token=token)
    assert answer.status_code == 503 and 'very secret' not in answer.text and '/' not in answer.json['error']['message']


def test_keys_are_rotated(cloud: Cloud) -> None:
    cloud.member()
    token, app = login(cloud), cloud.daemon.app
    made = [keep(cloud, token, blob=f'blob {number}') for number in range(3)]
    file = pathlib.Path(cloud.conf.identity.key_repository) / 'credentials.keys'
    assert file.stat().st_mode & 0o777 == 0o600
    first, = file.read_bytes().split()
    for _ in range(2):
        app.credential_keys.add()
        assert reseal(app.database, app.credential_keys) == 3
    assert first not in file.read_bytes() and len(file.read_bytes().split()) == 2
    for one in made:
        shown = cloud.send('GET', f'/v3/credentials/{one["id"]}', token=token).json['credential']
        assert shown['blob'] == one['blob']
    file.unlink()
    assert cloud.send('GET', '/v3/credentials', token=token).status_code == 503


def test_ec2_keys_have_the_id_of_their_access_key(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    token = login(cloud)
    made = keep(cloud, token, type='ec2', blob=json.dumps(PAIR), project_id=project_id)
    assert made['id'] == hashlib.sha256(PAIR['access'].encode()).hexdigest()
    answer = cloud.send('POST', '/v3/credentials', {'credential': {
        'type': 'ec2', 'blob': json.dumps(PAIR), 'project_id': project_id}}, token)
    assert answer.status_code == 409
    shown = cloud.send('GET', f'/v3/users/{user_id}/credentials/OS-EC2/{PAIR["access"]}', token=token).json
    assert shown['credential']['secret'] == PAIR['secret'] and shown['credential']['tenant_id'] == project_id


@pytest.mark.parametrize('body', [
    {'blob': 'no json'}, {'blob': '[]'}, {'blob': '{"access": "a"}'}, {'blob': '{"access": 1, "secret": "s"}'},
    {'project_id': None}, {'blob': json.dumps({**PAIR, 'app_cred_id': 'x'})},
    {'blob': json.dumps({**PAIR, 'trust_id': 'x'})}])
def test_ec2_keys_that_are_refused(cloud: Cloud, body: dict[str, Any]) -> None:
    _, project_id = cloud.member()
    keep(cloud, login(cloud), 400, **{'type': 'ec2', 'blob': json.dumps(PAIR), 'project_id': project_id, **body})


@pytest.mark.parametrize('change', [
    {'type': 'cert'}, {'project_id': 'x'}, {'project_id': None}, {'blob': json.dumps({**PAIR, 'access': 'b'})},
    {'blob': 'x'}, {'blob': json.dumps({**PAIR, 'app_cred_id': 'x'})}])
def test_what_an_ec2_key_keeps(cloud: Cloud, change: dict[str, Any]) -> None:
    _, project_id = cloud.member()
    token = login(cloud)
    made = keep(cloud, token, type='ec2', blob=json.dumps(PAIR), project_id=project_id)
    path = f'/v3/credentials/{made["id"]}'
    assert cloud.send('PATCH', path, {'credential': change}, token).status_code == 400
    fresh = json.dumps({**PAIR, 'secret': 'new'})
    assert cloud.send('PATCH', path, {'credential': {'blob': fresh}}, token).json['credential']['blob'] == fresh


def test_who_may(cloud: Cloud) -> None:
    alice, _ = cloud.member()
    bob, _ = cloud.member('bob')
    mine = keep(cloud, login(cloud))
    path, stranger = f'/v3/credentials/{mine["id"]}', login(cloud, 'bob')
    for method, body in (('GET', None), ('PATCH', {'credential': {'blob': 'x'}}), ('DELETE', None)):
        assert cloud.send(method, path, body, stranger).status_code == 403
        assert cloud.send(method, path, body).status_code == 401
    assert cloud.send('GET', '/v3/credentials', token=stranger).json['credentials'] == []
    assert cloud.send('GET', f'/v3/credentials?user_id={alice}', token=stranger).json['credentials'] == []
    keep(cloud, stranger, 403, user_id=alice)
    assert cloud.send('PATCH', path, {'credential': {'user_id': bob}}, login(cloud)).status_code == 403
    assert cloud.send('GET', '/v3/credentials', token=cloud.admin).json['credentials'] == [mine]
    assert keep(cloud, cloud.admin, user_id=bob)['user_id'] == bob
    keep(cloud, cloud.admin, 404, user_id='nobody')
    keep(cloud, cloud.admin, 404, project_id='nothing')


def test_application_credentials_reach_their_own_keys_only(cloud: Cloud) -> None:
    """An EC2 key of the user has all roles of the user: its secret is not for a token with fewer."""
    user_id, project_id = cloud.member()
    other = cloud.make('projects', 'project', name='other')['id']
    token = login(cloud)
    inside = keep(cloud, token, type='ec2', blob=json.dumps({**PAIR, 'access': 'of-the-user'}), project_id=project_id)
    outside = keep(cloud, cloud.admin, user_id=user_id, project_id=other)
    lists = ('/v3/credentials', f'/v3/users/{user_id}/credentials/OS-EC2')
    restricted = robot(cloud, user_id, token)
    for path in (*lists, f'/v3/credentials/{inside["id"]}', f'{lists[1]}/of-the-user'):
        assert cloud.send('GET', path, token=restricted).status_code == 403, path
    keep(cloud, restricted, 403)
    for method, body in (('PATCH', {'credential': {'blob': 'x'}}), ('DELETE', None)):
        assert cloud.send(method, f'/v3/credentials/{inside["id"]}', body, restricted).status_code == 403
    free = robot(cloud, user_id, token, name='free', unrestricted=True)
    assert [cloud.send('GET', path, token=free).json['credentials'] for path in lists] == [[], []]
    for one in (inside, outside):
        assert cloud.send('GET', f'/v3/credentials/{one["id"]}', token=free).status_code == 404
    assert cloud.send('GET', f'{lists[1]}/of-the-user', token=free).status_code == 404
    keep(cloud, free, 403, type='ec2', blob=json.dumps(PAIR), project_id=other)
    made = keep(cloud, free, type='ec2', blob=json.dumps(PAIR), project_id=project_id)
    assert json.loads(made['blob'])['app_cred_id']
    assert cloud.send('GET', lists[0], token=free).json['credentials'] == [made]


def test_projects_of_credentials(cloud: Cloud) -> None:
    """Of the token's project, unless an administrator says otherwise; EC2 keys where the user has a role, too."""
    user_id, project_id = cloud.member()
    other = cloud.make('projects', 'project', name='other')['id']
    token = login(cloud)
    keep(cloud, token, 403, project_id=other)
    keep(cloud, token, 403, project_id='nothing')
    keep(cloud, token, 403, type='ec2', blob=json.dumps(PAIR), project_id=other)
    keep(cloud, cloud.token(password('alice', 'alice'), 'unscoped'), 403, project_id=project_id)
    made = keep(cloud, token)
    for place, status in ((other, 403), (project_id, 200), (None, 200)):
        answer = cloud.send('PATCH', f'/v3/credentials/{made["id"]}', {'credential': {'project_id': place}}, token)
        assert answer.status_code == status, place
    path = f'/v3/projects/{other}/users/{user_id}/roles/{cloud.ids["roles"]["reader"]}'
    assert cloud.send('PUT', path, token=cloud.admin).status_code == 204
    keep(cloud, token, 403, project_id=other)
    keep(cloud, token, type='ec2', blob=json.dumps(PAIR), project_id=other)
    assert keep(cloud, cloud.admin, user_id=user_id, project_id=other)['project_id'] == other
    assert cloud.send('PATCH', f'/v3/credentials/{made["id"]}', {'credential': {'project_id': other}},
                      cloud.admin).json['credential']['project_id'] == other


def test_credentials_of_an_application_credential(cloud: Cloud) -> None:
    """Of any type they are its user's and project's, and it reaches them; an administrator's reaches no more."""
    user_id, project_id = cloud.member()
    other, bob = cloud.make('projects', 'project', name='other')['id'], cloud.member('bob')[0]
    token = login(cloud)
    free = robot(cloud, user_id, token, name='free', unrestricted=True)
    for body in ({'project_id': other}, {'project_id': None}, {'project_id': 'nothing'}):
        keep(cloud, free, 403, **body)
    made = keep(cloud, free)
    assert made['project_id'] == project_id and not [name for name in made if 'application' in name]
    path = f'/v3/credentials/{made["id"]}'
    assert cloud.send('GET', path, token=free).json['credential'] == made
    assert cloud.send('GET', '/v3/credentials', token=free).json['credentials'] == [made]
    for place in (other, None):
        change = {'credential': {'project_id': place}}
        assert cloud.send('PATCH', path, change, free).status_code == 403, place
    second = robot(cloud, user_id, token, name='second', unrestricted=True)
    assert cloud.send('GET', path, token=second).status_code == 404
    assert cloud.send('GET', path, token=robot(cloud, user_id, token)).status_code == 403
    strong = robot(cloud, cloud.ids['users']['admin'], cloud.admin, unrestricted=True)
    keep(cloud, strong, 403, user_id=bob)
    assert cloud.send('PATCH', path, {'credential': {'blob': 'x'}}, strong).status_code == 404
    assert cloud.send('DELETE', path, token=strong).status_code == 404
    assert cloud.send('GET', '/v3/credentials', token=strong).json['credentials'] == []
    assert cloud.send('DELETE', path, token=free).status_code == 204


def test_pages_of_an_application_credential_are_full(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    token = login(cloud)
    free = robot(cloud, user_id, token, unrestricted=True)
    made: dict[str, set[str]] = {free: set(), token: set()}
    for number in range(9):
        maker = token if number % 3 else free
        body = {'type': 'ec2', 'blob': json.dumps({**PAIR, 'access': str(number)}), 'project_id': project_id}
        made[maker].add(keep(cloud, maker, **body)['id'])
    seen: list[str] = []
    path = '/v3/credentials?limit=2'
    for count in (2, 1):
        answer = cloud.send('GET', path, token=free).json
        assert len(answer['credentials']) == count
        seen += [one['id'] for one in answer['credentials']]
        path = (answer['links']['next'] or '').removeprefix('http://127.0.0.1:5000')
    assert set(seen) == made[free] and not path
    cloud.conf.set_override('list_limit', 3, 'identity')
    for path in ('/v3/credentials', f'/v3/users/{user_id}/credentials/OS-EC2'):
        answer = cloud.send('GET', path, token=free).json
        assert len(answer['credentials']) == 3 and 'truncated' not in answer
        assert cloud.send('GET', path, token=token).json['truncated'] is True


def test_rows_of_the_version_before_are_completed_at_a_start(cloud: Cloud) -> None:
    """One that cannot be decrypted stays as it is, and hinders no other."""
    user_id, project_id = cloud.member()
    token, database = login(cloud), cloud.daemon.app.database
    free = robot(cloud, user_id, token, unrestricted=True)
    made = keep(cloud, free, type='ec2', blob=json.dumps(PAIR), project_id=project_id)
    other = keep(cloud, token, type='ec2', blob=json.dumps({**PAIR, 'access': 'b'}), project_id=project_id)
    broken = keep(cloud, free, type='ec2', blob=json.dumps({**PAIR, 'access': 'c'}), project_id=project_id)
    column = credentials.c.application_credential_id

    def listed() -> list[Any]:
        return list(cloud.send('GET', '/v3/credentials', token=free).json['credentials'])
    database.transaction(lambda connection: connection.execute(credentials.update().values(
        {column: None, credentials.c.sealed: sa.case((credentials.c.id == broken['id'], 'x'),
                                                     else_=credentials.c.sealed)})))
    assert listed() == []
    cloud.daemon.prepare()
    assert listed() == [made]
    left = {row.id: row[1] for row in database.rows(sa.select(credentials.c.id, column))}
    assert (left[other['id']], left[broken['id']]) == ('', None)


def test_no_refusal_shows_the_text(cloud: Cloud) -> None:
    cloud.member()
    for body in ({'blob': 'hush' * 5000}, {'blob': ['hush']}, {'blob': 'hush', 'type': 5},
                 {'blob': 'hush', 'type': ''}):
        assert 'hush' not in keep(cloud, login(cloud), 400, **body)


def test_they_go_with_their_user_and_project(cloud: Cloud) -> None:
    user_id, project_id = cloud.member()
    token = login(cloud)
    keep(cloud, token, project_id=project_id)
    own = keep(cloud, token)
    assert cloud.send('DELETE', f'/v3/projects/{project_id}', token=cloud.admin).status_code == 204
    left = cloud.send('GET', '/v3/credentials', token=cloud.admin).json['credentials']
    assert [one['id'] for one in left] == [own['id']]
    assert cloud.send('DELETE', f'/v3/users/{user_id}', token=cloud.admin).status_code == 204
    assert cloud.send('GET', '/v3/credentials', token=cloud.admin).json['credentials'] == []
