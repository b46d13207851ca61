"""Attributes that policy hides from a caller are not compared for it either: no filter, no order, no marker."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compute.api.app import make_app
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER, ComputeApi, check_token
from tests.api.compute.serving import LATEST, Servers, message

AUDITOR = 'aud:p1:auditor,reader'


def allow(api: ComputeApi, folder: Path, **rules: str) -> None:
    """Let a policy file of the operator say who may."""
    file = folder / 'policy.yaml'
    file.write_text(json.dumps({f'os_compute_api:{name}': rule for name, rule in rules.items()}))
    api.conf.set_override('policy_file', str(file), 'oslo_policy')
    api.wsgi = Authenticate(MakeContext(make_app(api.cloud)), check_token)


def listed(api: ComputeApi, query: str, token: str) -> list[str]:
    """Return the names of a list of servers."""
    return [server['name'] for server in api('GET', f'/servers?{query}', token=token, version=LATEST, status=200)[
        'servers']]


@pytest.fixture
def two(servers: Servers) -> Servers:
    """Servers of p1 on two hosts."""
    servers.insert(name='a', host='h1', node='h1')
    servers.insert(name='b', host='h2', node='h2')
    return servers


@pytest.mark.parametrize('key', ['host', 'node'])
def test_hosts_of_servers(two: Servers, tmp_path: Path, key: str) -> None:
    api = two.api
    allow(api, tmp_path, **{'servers:allow_all_filters': 'role:auditor or role:admin'})
    for token in (MEMBER, AUDITOR):
        assert listed(api, f'{key}=h1', token) == listed(api, f'{key}=h3', token) == ['b', 'a']
        assert key in message(api('GET', f'/servers?sort_key={key}', token=token, status=403))
    assert listed(api, f'all_tenants=1&{key}=h1', ADMIN) == ['a']
    assert listed(api, f'all_tenants=1&sort_key={key}&sort_dir=asc', ADMIN) == ['a', 'b']


@pytest.mark.parametrize('key', ['host', 'node'])
def test_those_whom_policy_shows_hosts_compare_them(two: Servers, tmp_path: Path, key: str) -> None:
    both = 'role:auditor or role:admin'
    allow(two.api, tmp_path, **{'servers:allow_all_filters': both, 'os-extended-server-attributes': both})
    assert listed(two.api, f'{key}=h1', AUDITOR) == ['a']
    assert listed(two.api, f'sort_key={key}&sort_dir=asc', AUDITOR) == ['a', 'b']


def test_hosts_of_operations(two: Servers, tmp_path: Path) -> None:
    api = two.api
    allow(api, tmp_path, **{'operations:list_all': 'role:auditor or role:admin'})
    api('GET', '/operations', token=AUDITOR, status=200)
    for host in ('h1', 'h3'):
        assert 'operations:owner' in message(api('GET', f'/operations?host={host}', token=AUDITOR, status=403))
    api('GET', '/operations?host=h1', token=ADMIN, status=200)


def test_a_private_flavor_is_no_marker(api: ComputeApi) -> None:
    for name, public in (('open', True), ('secret', False)):
        api('POST', '/flavors', {'flavor': {'name': name, 'id': name, 'ram': 512, 'vcpus': 1, 'disk': 1,
                                            'os-flavor-access:is_public': public}}, token=ADMIN, status=200)
    query = 'sort_key=memory_mb&marker'
    assert api('GET', f'/flavors?{query}=open', status=200)['flavors'] == []
    unseen = message(api('GET', f'/flavors?{query}=secret', status=400))
    assert unseen.replace('secret', 'x') == message(api('GET', f'/flavors?{query}=x', status=400))
    api('GET', f'/flavors?{query}=secret&is_public=None', token=ADMIN, status=200)
    api('POST', '/flavors/secret/action', {'addTenantAccess': {'tenant': 'p2'}}, token=ADMIN, status=200)
    api('GET', f'/flavors?{query}=secret', token=OTHER, status=200)
