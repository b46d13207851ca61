"""The clients people have, against the identity daemon on a socket: keystoneauth1, keystonemiddleware, openstack."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import webob
from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystonemiddleware import auth_token

from compute.builtin.identity.db.nouns import ROLES
from compute.exception import Unauthorized
from compute.http_server import HttpServer
from compute.rest.middleware.context import MakeContext
from compute.rest.tokens import TokenChecker
from tests.api.identity.cloud import ADMIN, SERVICE, Cloud, password, project
from tests.functional.openstack_shell import Shell
from tests.ports import free_ports
from tests.waiting import wait_until


@pytest.fixture
def cloud(tmp_path: pathlib.Path) -> Iterator[Cloud]:
    """Identity on a free port."""
    port, = free_ports(1)
    made = Cloud(tmp_path, f'http://127.0.0.1:{port}')
    server = HttpServer(made.wsgi, '127.0.0.1', port, 4)
    server.start()
    yield made
    server.stop()
    made.daemon.stop()


@pytest.fixture
def admin(cloud: Cloud) -> session.Session:
    """The administrator's session."""
    return session.Session(v3.Password(
        f'{cloud.url}/v3', username='admin', password=ADMIN, user_domain_name='Default', project_name='admin',
        project_domain_name='Default'))


def test_discovery_and_catalog(cloud: Cloud, admin: session.Session) -> None:
    assert admin.get_endpoint(service_type='identity', interface='public', version='3').rstrip('/') == f'{cloud.url}/v3'
    assert admin.get_endpoint(service_type='block-storage', interface='public').endswith(admin.get_project_id())
    assert admin.get('/users', endpoint_filter={'service_type': 'identity'}).json()['users']


def test_keystonemiddleware(cloud: Cloud, admin: session.Session) -> None:
    def who(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response('200 OK', [('Content-Type', 'text/plain')])
        names = ('HTTP_X_USER_NAME', 'HTTP_X_PROJECT_NAME', 'HTTP_X_ROLES')
        return [' '.join(environ[name] for name in names).encode()]
    middleware = auth_token.AuthProtocol(who, {
        'auth_type': 'password', 'auth_url': f'{cloud.url}/v3', 'username': 'compute', 'password': SERVICE,
        'user_domain_name': 'Default', 'project_name': 'service', 'project_domain_name': 'Default',
        'www_authenticate_uri': cloud.url, 'token_cache_time': -1, 'oslo_config_project': 'compute'})

    def ask(token: str) -> webob.Response:
        return webob.Request.blank('/', headers={'X-Auth-Token': token}).get_response(middleware)
    token = admin.get_token()
    assert ask(token).text == 'admin admin admin,manager,member,reader'
    assert ask('nonsense').status_code == 401
    cloud.send('DELETE', '/v3/auth/tokens', token=token, X_Subject_Token=token)
    assert ask(token).status_code == 401


def test_a_role_with_a_comma_is_one_role_behind_keystonemiddleware(cloud: Cloud) -> None:
    """Such a role cannot be made here any more; another Keystone may have one."""
    user, target = cloud.member('eve')
    role = cloud.daemon.app.write(lambda connection: ROLES.insert(connection, {'name': 'x,admin'}))['id']
    cloud.send('PUT', f'/v3/projects/{target}/users/{user}/roles/{role}', token=cloud.admin)
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        start_response('200 OK', [])
        return []
    middleware = auth_token.AuthProtocol(MakeContext(app), {
        'auth_type': 'password', 'auth_url': f'{cloud.url}/v3', 'username': 'compute', 'password': SERVICE,
        'user_domain_name': 'Default', 'project_name': 'service', 'project_domain_name': 'Default',
        'www_authenticate_uri': cloud.url, 'token_cache_time': -1, 'oslo_config_project': 'compute'})
    for header in ('X-Auth-Token', 'X-Storage-Token'):
        token = cloud.token(password('eve', 'eve'), project('eve-project'))
        seen.clear()
        webob.Request.blank('/', headers={header: token}).get_response(middleware)
        assert 'x,admin' in seen['HTTP_X_ROLES'], 'so the header reads'
        context = seen['compute.context']
        assert context.roles == ['member', 'reader', 'x,admin'] and not context.is_admin
        assert context.auth_token == token


def test_checker_of_another_daemon(cloud: Cloud, admin: session.Session) -> None:
    cloud.conf.set_override('url', f'{cloud.url}/v3', 'auth')
    cloud.conf.set_override('revocation_interval', 0.1, 'auth')
    checker, token = TokenChecker(cloud.conf), admin.get_token()
    assert checker(token)['X-User-Name'] == 'admin'
    cloud.daemon.app.keys.rotate()
    assert checker(cloud.admin)['X-Project-Name'] == 'admin', 'the next key was known before it signed'
    cloud.daemon.app.keys.rotate()
    young = cloud.admin
    wait_until(lambda: _accepts(checker, young), 'a token signed with the new key')
    cloud.send('DELETE', '/v3/auth/tokens', token=token, X_Subject_Token=token)
    wait_until(lambda: not _accepts(checker, token), 'the refusal of a revoked token')
    assert _accepts(checker, young)
    checker.stop()


def _accepts(checker: TokenChecker, token: str) -> bool:
    try:
        return bool(checker(token))
    except Unauthorized:
        return False


@pytest.fixture
def run(cloud: Cloud) -> Iterator[Shell]:
    """The openstack command as the administrator."""
    pytest.importorskip('openstackclient')
    shell = Shell({'PATH': os.environ['PATH'], 'HOME': os.environ.get('HOME', '/'), 'OS_AUTH_URL': f'{cloud.url}/v3',
                   'OS_USERNAME': 'admin', 'OS_PASSWORD': ADMIN, 'OS_PROJECT_NAME': 'admin',
                   'OS_USER_DOMAIN_NAME': 'Default', 'OS_PROJECT_DOMAIN_NAME': 'Default',
                   'OS_IDENTITY_API_VERSION': '3'})
    yield shell
    shell.close()


def test_openstack_command(run: Shell) -> None:
    assert run('project create web -f json')['domain_id'] == 'default'
    assert run('user create --password dave --project web dave -f json')['name'] == 'dave'
    run('role add --user dave --project web member')
    listed = run('role assignment list --names --user dave -f json')
    assert [(item['Role'], item['Project']) for item in listed] == [('member', 'web@Default')]
    dave = {'OS_USERNAME': 'dave', 'OS_PASSWORD': 'dave', 'OS_PROJECT_NAME': 'web'}
    assert [item['Name'] for item in run('project list -f json', **dave)] == ['web']
    made = run('application credential create robot -f json', **dave)
    credential = {'OS_AUTH_TYPE': 'v3applicationcredential', 'OS_APPLICATION_CREDENTIAL_ID': made['ID'],
                  'OS_APPLICATION_CREDENTIAL_SECRET': made['Secret'],
                  **{f'OS_{name}': '' for name in ('USERNAME', 'PASSWORD', 'PROJECT_NAME', 'USER_DOMAIN_NAME',
                                                   'PROJECT_DOMAIN_NAME')}}
    assert run('token issue -f json', **credential)['project_id'] == made['Project ID']
    assert {item['Service Type'] for item in run('endpoint list -f json')} == {'identity', 'compute', 'volumev3'}


def test_openstack_command_for_groups_and_credentials(run: Shell) -> None:
    """Groups, inherited roles, tags, credentials and EC2 keys."""
    run('project create web')
    run('user create --password dave --project web dave')
    run('role add --user dave --project web member')
    dave = {'OS_USERNAME': 'dave', 'OS_PASSWORD': 'dave', 'OS_PROJECT_NAME': 'web'}
    assert run('group create --description d devs -f json')['domain_id'] == 'default'
    run('group add user devs dave')
    run('group contains user devs dave')
    assert [item['Name'] for item in run('group list --user dave -f json')] == ['devs']
    assert [item['Name'] for item in run('user list --group devs -f json')] == ['dave']
    run('project create --parent web below')
    run('role add --group devs --project web reader')
    run('role add --group devs --project web --inherited member')
    run('role add --user dave --domain default --inherited service')
    given = run('role assignment list --names --group devs -f json')
    assert {(item['Role'], item['Group'], item['Inherited']) for item in given} == {
        ('reader', 'devs@Default', False), ('member', 'devs@Default', True)}
    working = run('role assignment list --names --effective --user dave --project below -f json')
    assert {(item['Role'], item['User']) for item in working} == {
        ('member', 'dave@Default'), ('reader', 'dave@Default'), ('service', 'dave@Default')}
    assert run('token issue -f json', **{**dave, 'OS_PROJECT_NAME': 'below'})['project_id']
    run('role remove --group devs --project web --inherited member')
    run('group remove user devs dave')
    run('project set --tag blue --tag green web')
    assert sorted(run('project show web -f json')['tags']) == ['blue', 'green']
    assert [item['Name'] for item in run('project list --tags blue,green -f json')] == ['web']
    kept = run('credential create --type cert --project web dave a-certificate -f json')
    assert kept['blob'] == 'a-certificate' and run(f'credential show {kept["id"]} -f json')['type'] == 'cert'
    run(f'credential set --user dave --type cert --data other {kept["id"]}')
    assert run('credential list -f json')[0]['Data'] == 'other'
    run(f'credential delete {kept["id"]}')
    key = run('ec2 credentials create -f json', **dave)
    assert run(f'ec2 credentials show {key["access"]} -f json', **dave)['secret'] == key['secret']
    assert [item['Access'] for item in run('ec2 credentials list -f json', **dave)] == [key['access']]
    run(f'ec2 credentials delete {key["access"]}', **dave)
    run('role create --domain default builder')
    assert [item['Name'] for item in run('role list --domain default -f json')] == ['builder']
    assert 'builder' not in {item['Name'] for item in run('role list -f json')}
    run('region create --description d north')
    run('region set --description e north')
    assert run('trust list -f json', **dave) == []
