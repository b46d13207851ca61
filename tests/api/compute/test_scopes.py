"""Who counts as an administrator, and what a token without a project can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from compute.api.app import make_app
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext
from tests.api.compute.compute_cloud import ADMIN, ComputeApi, check_token
from tests.api.compute.serving import LATEST, Servers, message

CHIEF, HOMELESS = 'chief:p9:chief', 'root::admin,manager,member,reader'


@pytest.fixture
def with_chiefs(servers: Servers, tmp_path: Path) -> Servers:
    """An API whose administrators have the role chief."""
    file = tmp_path / 'policy.yaml'
    file.write_text('context_is_admin: role:chief\nos_compute_api:os-hypervisors:list: rule:admin_api\n')
    servers.api.conf.set_override('policy_file', str(file), 'oslo_policy')
    servers.api.wsgi = Authenticate(MakeContext(make_app(servers.api.cloud)), check_token)
    return servers


def test_the_policy_says_who_is_an_administrator(with_chiefs: Servers) -> None:
    key, api = with_chiefs.insert().uuid, with_chiefs.api
    for token, status in ((CHIEF, 200), (ADMIN, 404)):
        api('GET', f'/servers/{key}', token=token, status=status)
    found = api('GET', '/servers?all_tenants=1', token=CHIEF, status=200)['servers']
    assert [server['id'] for server in found] == [key]
    api('GET', '/servers?all_tenants=1', token=ADMIN, status=403)


def test_rules_of_older_files_follow(with_chiefs: Servers) -> None:
    for token, status in ((CHIEF, 200), (ADMIN, 403)):
        with_chiefs.api('GET', '/os-hypervisors', token=token, status=status)


@pytest.mark.parametrize('path', ['/servers', '/os-volumes_boot', '/os-server-groups'])
def test_nothing_is_made_in_no_project(servers: Servers, path: str) -> None:
    body: Any = servers.request()
    if path == '/os-server-groups':
        body = {'server_group': {'name': 'g', 'policy': 'affinity'}}
    version = '2.60' if path == '/os-volumes_boot' else LATEST
    answer = servers.api('POST', path, body, version=version, token=HOMELESS, status=403)
    assert 'no project' in message(answer)


def test_an_administrator_without_a_project_sees_and_does_the_rest(servers: Servers) -> None:
    api: ComputeApi = servers.api
    key = servers.insert().uuid
    assert [server['id'] for server in api('GET', '/servers?all_tenants=1', token=HOMELESS)['servers']] == [key]
    for path in (f'/servers/{key}', '/os-hypervisors', '/os-services', '/flavors', '/os-server-groups'):
        api('GET', path, token=HOMELESS, status=200)
    api('POST', '/flavors', {'flavor': {'name': 'f', 'ram': 1, 'vcpus': 1, 'disk': 0}}, token=HOMELESS, status=200)
    api('POST', '/os-keypairs', {'keypair': {'name': 'k'}}, token=HOMELESS, status=200)
    servers.act(key, 'reboot', {'type': 'HARD'}, token=HOMELESS)
