"""Addresses in requests: any spelling is accepted, the canonical one is stored and shown; null and "" are none."""

from __future__ import annotations

from typing import Any

import pytest

from compute.api.schema import canonical_address
from compute.objects.nic import NicRequest
from tests.api.compute.compute_cloud import ADMIN
from tests.api.compute.serving import LATEST, Servers, message

SPELLINGS = [
    ('accessIPv6', '0000:0000:0000:0000:0000:babe:220.12.22.2', '::babe:dc0c:1602'),
    ('accessIPv6', 'FE80:0:0:0:0:0:0:1', 'fe80::1'), ('accessIPv6', '2001:DB8::0:7', '2001:db8::7'),
    ('accessIPv6', '::FFFF:192.0.2.7', '::ffff:192.0.2.7'), ('accessIPv6', '::ffff:c000:207', '::ffff:192.0.2.7'),
    ('accessIPv6', '::', '::'), ('accessIPv4', '192.0.2.7', '192.0.2.7')]
WRONG: list[tuple[str, Any]] = [
    *((key, value) for key in ('accessIPv4', 'accessIPv6') for value in (
        None, '', 'x', 7, '1.2.3.4.5', '192.0.2.007', '192.0.2.7/32', ' 192.0.2.7', 'fe80::1%eth0', 'fe80::1/64')),
    ('accessIPv4', '::1'), ('accessIPv6', '192.0.2.7')]


@pytest.mark.parametrize('version', ['2.1', LATEST])
@pytest.mark.parametrize(('key', 'typed', 'shown'), SPELLINGS)
def test_access_addresses_have_one_form(servers: Servers, key: str, typed: str, shown: str, version: str) -> None:
    made = servers.create(version=version, **{key: typed})['id']
    assert servers.show(made)[key] == shown
    other = servers.insert().uuid
    answer = servers.api('PUT', f'/servers/{other}', {'server': {key: typed}}, version=version, status=200)
    assert answer['server'][key] == shown == servers.show(other)[key]


@pytest.mark.parametrize('version', ['2.1', LATEST])
@pytest.mark.parametrize(('key', 'value'), WRONG)
def test_what_is_no_address_is_refused(servers: Servers, key: str, value: Any, version: str) -> None:
    body = servers.request()
    body['server'][key] = value
    assert key in message(servers.api('POST', '/servers', body, version=version, status=400))
    uuid = servers.insert().uuid
    assert key in message(servers.api('PUT', f'/servers/{uuid}', {'server': {key: value}}, version=version, status=400))


def test_a_fixed_address_is_asked_for_in_its_canonical_form(servers: Servers) -> None:
    network = servers.api.networks.add_network(project_id='p1', cidr='2001:db8::/64')
    uuid = servers.create(networks=[{'uuid': network, 'fixed_ip': '2001:DB8:0:0:0:0:0:7'}])['id']
    args = servers.operations(uuid)[0].args
    assert [NicRequest(**nic).fixed_ip if isinstance(nic, dict) else nic.fixed_ip for nic in args['nics']] == [
        '2001:db8::7']


def test_rows_of_earlier_releases_are_shown_in_the_canonical_form(servers: Servers) -> None:
    key = servers.insert(access_ip_v6='FE80:0:0:0:0:0:0:1').uuid
    assert servers.show(key)['accessIPv6'] == 'fe80::1'
    path = '/servers/detail?all_tenants=1&access_ip_v6=FE80:0:0:0:0:0:0:1'
    found = servers.api('GET', path, version=LATEST, token=ADMIN, status=200)['servers']
    assert [server['accessIPv6'] for server in found] == ['fe80::1']


def test_what_is_no_address_stays() -> None:
    assert canonical_address('10.0.') == '10.0.' and canonical_address('^fe80') == '^fe80'
