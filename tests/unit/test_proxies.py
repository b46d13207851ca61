"""What becomes of the environment's proxies."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import requests

from compute.proxies import LOCAL, bypass_for_this_machine

ROOT = Path(__file__).resolve().parents[2]
LOCALS = ','.join(LOCAL)


@pytest.mark.parametrize(('given', 'wanted'), [
    ({}, None),
    ({'http_proxy': 'http://p:3128'}, LOCALS),
    ({'HTTPS_PROXY': 'http://p:3128'}, LOCALS),
    ({'all_proxy': 'http://p:3128', 'no_proxy': 'example.org'}, f'example.org,{LOCALS}'),
    ({'http_proxy': 'http://p:3128', 'NO_PROXY': ' a , ,::1'}, 'a,::1,localhost,127.0.0.1,127.0.0.0/8,[::1]'),
    ({'http_proxy': 'http://p:3128', 'no_proxy': '*'}, '*')])
def test_names_of_this_machine_are_added(given: dict[str, str], wanted: str | None) -> None:
    environment = dict(given)
    bypass_for_this_machine(environment)
    assert environment.get('no_proxy') == wanted
    assert {name: environment[name] for name in given if name.lower() != 'no_proxy'} == {
        name: value for name, value in given.items() if name.lower() != 'no_proxy'}
    again = dict(environment)
    bypass_for_this_machine(again)
    assert again == environment


@pytest.mark.parametrize(('url', 'proxied'), [
    ('http://127.0.0.1:5000/v3', False), ('http://localhost/v3', False), ('http://[::1]:5000/v3', False),
    ('http://127.0.0.53/', False), ('http://mirror.example.org/', True)])
def test_requests_heeds_it(monkeypatch: pytest.MonkeyPatch, url: str, proxied: bool) -> None:
    for name in ('no_proxy', 'NO_PROXY'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('http_proxy', 'http://proxy.example.org:3128')
    environment = {'http_proxy': 'http://proxy.example.org:3128'}
    bypass_for_this_machine(environment)
    monkeypatch.setenv('no_proxy', environment['no_proxy'])
    assert bool(requests.utils.get_environ_proxies(url)) is proxied


@pytest.mark.parametrize('given', ['', 'example.org'])
def test_the_scripts_add_them_as_well(given: str) -> None:
    script = f'. {ROOT}/tools/stack/settings.sh; printf "%s %s" "$no_proxy" "$NO_PROXY"'
    done = subprocess.run(['bash', '-euc', script], capture_output=True, text=True, check=True, timeout=60,
                          env={'NO_PROXY': given, 'PATH': '/usr/bin:/bin'})
    lower, upper = done.stdout.split()
    assert lower == upper == ','.join(filter(None, (given, 'localhost,127.0.0.1,127.0.0.0/8,::1')))
