"""Attributes that policy hides from a caller are neither shown nor compared: no filter, no order, no ``fields``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from compute.policies.network import GUARDED
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext
from tests.api.network.serving import PROJECTS, Site, check_token

HIDDEN = [(f'{rule.removeprefix("get_")}s', attribute) for rule, attribute in GUARDED if rule.startswith('get_')]
USERS = ('demo', 'reader', 'manager')
HOST = 'binding:host_id'


def message(answer: dict[str, Any]) -> str:
    """Return the message of a refusal."""
    return str(answer['NeutronError']['message'])


@pytest.fixture
def bound(site: Site) -> dict[str, Any]:
    """A port of demo that is bound to a host, on a network of demo."""
    site.agent('secret-host')
    network = site.network()
    return site.port(network, 'admin', project_id=PROJECTS['demo'], **{HOST: 'secret-host'})


def allow(site: Site, folder: Path, **rules: str) -> None:
    """Let a policy file of the operator say who sees an attribute."""
    file = folder / 'policy.yaml'
    file.write_text(json.dumps({f'get_port:{name}': rule for name, rule in rules.items()}))
    site.conf.set_override('policy_file', str(file), 'oslo_policy')
    site.wsgi = Authenticate(MakeContext(site.daemon.applications()['network']), check_token)


@pytest.mark.parametrize('user', USERS)
@pytest.mark.parametrize(('collection', 'attribute'), HIDDEN)
def test_what_is_hidden_is_not_compared(site: Site, bound: dict[str, Any], collection: str, attribute: str,
                                        user: str) -> None:
    for query in (f'{attribute}=secret-host', f'{attribute}=wrong', f'{attribute}=', f'sort_key={attribute}',
                  f'sort_key={attribute}&limit=1&marker={bound["id"]}'):
        assert attribute in message(site.get(f'/{collection}?{query}', user, 400)), query


@pytest.mark.parametrize('user', USERS)
def test_right_and_wrong_guesses_are_answered_alike(site: Site, bound: dict[str, Any], user: str) -> None:
    right, wrong = (site.get(f'/ports?{HOST}={host}', user, 400) for host in ('secret-host', 'wrong'))
    assert right == wrong


@pytest.mark.parametrize('user', USERS)
@pytest.mark.parametrize(('collection', 'attribute'), HIDDEN)
def test_what_is_hidden_is_left_out_of_fields(site: Site, bound: dict[str, Any], collection: str, attribute: str,
                                              user: str) -> None:
    assert site.get(f'/{collection}?fields=id&fields={attribute}', user)[collection] == [
        {'id': item['id']} for item in site.get(f'/{collection}', user)[collection]]
    one = site.get(f'/{collection}', user)[collection][0]['id']
    assert list(site.get(f'/{collection}/{one}?fields={attribute}', user).values()) == [{}]


@pytest.mark.parametrize('user', ['admin', 'service'])
def test_those_who_see_it_compare_it(site: Site, bound: dict[str, Any], user: str) -> None:
    assert [port['id'] for port in site.get(f'/ports?{HOST}=secret-host', user)['ports']] == [bound['id']]
    assert site.get(f'/ports?{HOST}=wrong', user)['ports'] == []
    assert len(site.get(f'/ports?sort_key={HOST}&sort_dir=desc', user)['ports']) == 1
    assert len(site.get('/networks?provider:network_type=local', user)['networks']) == 1
    assert list(site.get(f'/ports?fields={HOST}', user)['ports'][0]) == [HOST]


def test_an_attribute_that_is_shown_of_own_things_is_compared_of_those(site: Site, bound: dict[str, Any],
                                                                       tmp_path: Path) -> None:
    allow(site, tmp_path, **{HOST: 'role:admin or project_id:%(project_id)s'})
    foreign = site.port(site.get('/networks')['networks'][0], 'admin', project_id=PROJECTS['other'],
                        **{HOST: 'secret-host'})
    assert foreign['id'] in [port['id'] for port in site.get('/ports')['ports']]
    assert [port['id'] for port in site.get(f'/ports?{HOST}=secret-host')['ports']] == [bound['id']]
    site.get(f'/ports?{HOST}=secret-host&marker={foreign["id"]}', status=404)
    assert HOST in message(site.get(f'/ports?sort_key={HOST}', status=400))


def test_a_marker_that_the_caller_does_not_see_is_none(site: Site) -> None:
    foreign, mine = site.network('b', 'other'), site.network('a')
    site.get(f'/networks?marker={mine["id"]}&sort_key=name')
    unseen = site.get(f'/networks?marker={foreign["id"]}&sort_key=name', status=404)
    assert message(unseen).replace(foreign['id'], 'x') == message(
        site.get('/networks?marker=x&sort_key=name', status=404))
    assert site.get(f'/networks?marker={foreign["id"]}&sort_key=name', 'admin')['networks'] == []
