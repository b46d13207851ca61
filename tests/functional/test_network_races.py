"""Parallel requests to two network daemons on one store: nothing is handed out twice, no limit is passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.network.serving import PROJECTS, Site


@pytest.fixture
def daemons(tmp_path: Any) -> Iterator[list[Site]]:
    """Two daemons on one store (tests/real does the same on MariaDB and PostgreSQL)."""
    url = f'sqlite:///{tmp_path}/network.sqlite'
    made = [Site(url), Site(url)]
    yield made
    for site in made:
        site.close()


def parallel(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Run a call many times at once and return the answers."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(call, range(count)))


def test_a_hundred_ports_at_once(daemons: list[Site]) -> None:
    network = daemons[0].network()
    daemons[0].subnet(network)

    def make(number: int) -> Any:
        return daemons[number % 2].port(network)
    ports = parallel(100, make)
    addresses = [port['fixed_ips'][0]['ip_address'] for port in ports]
    assert len(set(addresses)) == len({port['mac_address'] for port in ports}) == 100
    assert sorted(int(address.split('.')[3]) for address in addresses) == list(range(2, 102))


def test_the_last_addresses(daemons: list[Site]) -> None:
    network = daemons[0].network()
    daemons[0].subnet(network, '10.0.0.0/28')

    def make(number: int) -> int:
        body = {'port': {'network_id': network['id']}}
        return int(daemons[number % 2].request('POST', '/ports', body).status_int)
    assert sorted(parallel(30, make)) == [201] * 13 + [409] * 17


def test_the_last_of_a_quota(daemons: list[Site]) -> None:
    daemons[0].put(f'/quotas/{PROJECTS["demo"]}', {'quota': {'network': 7}}, 'admin')

    def make(number: int) -> int:
        return int(daemons[number % 2].request('POST', '/networks', {'network': {}}).status_int)
    assert sorted(parallel(20, make)) == [201] * 7 + [409] * 13


def test_one_address_asked_for_by_many(daemons: list[Site]) -> None:
    network = daemons[0].network()
    daemons[0].subnet(network)

    def make(number: int) -> int:
        body = {'port': {'network_id': network['id'], 'fixed_ips': [{'ip_address': '10.0.0.50'}]}}
        return int(daemons[number % 2].request('POST', '/ports', body).status_int)
    assert sorted(parallel(10, make)) == [201] + [409] * 9


def test_one_default_group_and_one_automatic_network(daemons: list[Site]) -> None:
    def look(number: int) -> tuple[str, str]:
        site = daemons[number % 2]
        group = site.get('/security-groups')['security_groups'][0]['id']
        return group, site.get(f'/auto-allocated-topology/{PROJECTS["demo"]}')['auto_allocated_topology']['id']
    assert len(set(parallel(12, look))) == 1
    assert len(daemons[0].get('/security-groups')['security_groups']) == 1


def test_overlapping_subnets_at_once(daemons: list[Site]) -> None:
    network = daemons[0].network()

    def make(number: int) -> int:
        body = {'subnet': {'network_id': network['id'], 'cidr': '10.0.0.0/24', 'ip_version': 4}}
        return int(daemons[number % 2].request('POST', '/subnets', body).status_int)
    assert sorted(parallel(8, make)) == [201] + [400] * 7


def test_a_network_goes_while_ports_come(daemons: list[Site]) -> None:
    network = daemons[0].network()
    daemons[0].subnet(network)

    def act(number: int) -> int:
        site = daemons[number % 2]
        if number == 5:
            return int(site.request('DELETE', f'/networks/{network["id"]}').status_int)
        return int(site.request('POST', '/ports', {'port': {'network_id': network['id']}}).status_int)
    answers = parallel(12, act)
    left = len(daemons[0].get('/ports')['ports'])
    assert set(answers) <= {201, 204, 404, 409}
    assert left == answers.count(201)
    assert answers[5] == (409 if left else 204)


def test_equal_rules_at_once(daemons: list[Site]) -> None:
    group = daemons[0].post('/security-groups', {'security_group': {'name': 'g'}})['security_group']['id']
    spellings: list[dict[str, Any]] = [
        {'protocol': 'tcp'}, {'protocol': 6, 'remote_ip_prefix': '0.0.0.0/0'},
        {'protocol': '6', 'port_range_min': 1, 'port_range_max': 65535}, {'protocol': 'TCP', 'ethertype': 'ipv4'}]

    def make(number: int) -> int:
        body = {'security_group_rule': {'security_group_id': group, 'direction': 'ingress', **spellings[number % 4]}}
        return int(daemons[number % 2].request('POST', '/security-group-rules', body).status_int)
    assert sorted(parallel(12, make)) == [201] + [409] * 11


def test_tags_added_at_once_are_all_there(daemons: list[Site]) -> None:
    tags = f'/networks/{daemons[0].network()["id"]}/tags'

    def add(number: int) -> int:
        return int(daemons[number % 2].request('PUT', f'{tags}/t{number:02}').status_int)
    assert parallel(60, add).count(201) == 50
    assert len(daemons[0].get(tags)['tags']) == 50
