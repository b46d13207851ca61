"""What ports cost in SQL: a port is made and answered in one pass, and many are reported as one is.

The numbers are upper bounds that were reached by looking; ``BEGIN`` counts, a commit does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from compute.objects.value import decode, encode
from compute.objects.wiring import NetworkWiring, unpacked
from tests.api.network.serving import PROJECTS, Site

SERVER = '11111111-2222-3333-4444-555555555555'
BOUND = {'binding:host_id': 'host1', 'device_id': SERVER, 'device_owner': 'compute:nova',
         'project_id': PROJECTS['demo']}


@pytest.fixture
def statements(site: Site) -> Iterator[list[str]]:
    """What was sent to the store, by either of its engines."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        found.append(statement)
    engines = {id(engine): engine for engine in (site.daemon.db.engine, site.daemon.db._reader)}.values()
    for engine in engines:
        sa.event.listen(engine, 'before_cursor_execute', note)
    yield found
    for engine in engines:
        sa.event.remove(engine, 'before_cursor_execute', note)


@pytest.fixture
def network(site: Site) -> dict[str, Any]:
    """A network with a subnet, in use, and a host with an agent; the project has its default group."""
    made = site.network()
    site.subnet(made)
    site.agent()
    site.port(made)
    return made


def test_a_port_of_a_server(site: Site, network: dict[str, Any], statements: list[str]) -> None:
    """However many there are already."""
    reads = {f'/ports?device_id={SERVER}&fields=id&fields=binding:host_id': 1,
             f'/networks?id={network["id"]}&fields=id&fields=mtu': 1, '/ports/{id}': 5}
    for _ in range(3):
        statements.clear()
        port = site.port(network, 'service', **BOUND)['id']
        assert len(statements) <= 10, statements
        for path, most in reads.items():
            statements.clear()
            site.get(path.format(id=port), 'service')
            assert len(statements) <= most, (path, statements)
    statements.clear()
    site.delete(f'/ports/{port}', 'service')
    assert len(statements) <= 6, statements


def test_reports_cost_the_same_for_one_and_for_many(site: Site, network: dict[str, Any], statements: list[str]) -> None:
    ports = [site.port(network, 'service', **BOUND)['id'] for _ in range(9)]
    statements.clear()
    site.reports.port_up(None, host='host1', port_id=ports[0])
    assert len(statements) <= 4, statements
    statements.clear()
    unknown = '00000000-0000-0000-0000-000000000000'
    assert site.reports.ports_up(None, host='host1', port_ids=[*ports, unknown]) == [unknown]
    assert len(statements) <= 4, statements
    assert {site.get(f'/ports/{port}')['port']['status'] for port in ports} == {'ACTIVE'}
    statements.clear()
    site.reports.ports_up(None, host='host1', port_ids=ports)
    assert len(statements) <= 2, statements


def test_what_a_host_has_is_read_at_once(site: Site, network: dict[str, Any], statements: list[str]) -> None:
    for _ in range(2):
        for _ in range(4):
            site.port(network, 'service', **BOUND)
        statements.clear()
        site.reports.state(None, host='host1')
        assert len(statements) <= 8, statements


def test_rules_travel_once(site: Site, network: dict[str, Any]) -> None:
    """A rule names every member of its group; a host has many ports with the same groups."""
    for values in ({}, {}, {'security_groups': []}, {'port_security_enabled': False, 'security_groups': []}):
        site.port(network, 'admin', **BOUND, **values)
    plain = site.reports.state(None, host='host1')
    sent = site.reports.state(None, host='host1', pack=True)
    assert [len(network.rule_sets) for network in sent] == [2]
    assert not any(port.rules for port in sent[0].ports)
    again = decode(list[NetworkWiring], json.loads(json.dumps(encode(sent))))
    assert [unpacked(network) for network in again] == plain
    assert [unpacked(network) for network in plain] == plain


def test_a_made_port_is_answered_as_it_is_shown(site: Site, network: dict[str, Any]) -> None:
    """The answer is not read from the store, so it must not differ from what is."""
    site.subnet(network, 'fd00:2::/64', ipv6_ra_mode='slaac', ipv6_address_mode='slaac')
    group = site.post('/security-groups', {'security_group': {'name': 'g'}})['security_group']['id']
    pairs = [{'ip_address': '10.0.0.9'}, {'ip_address': '10.1.0.0/16', 'mac_address': 'fa:16:3e:aa:bb:cc'}]
    for values in ({}, {'name': None, 'description': 'd', 'tags': ['b', 'a'], 'admin_state_up': 'false'},
                   {'dns_name': 'vm1', 'allowed_address_pairs': pairs, 'security_groups': [group]},
                   {'fixed_ips': [{'ip_address': '10.0.0.77'}], 'binding:profile': {'a': [1]}},
                   {'port_security_enabled': False, 'fixed_ips': []}):
        made = site.port(network, 'service', **{**BOUND, **values})
        assert made == site.get(f'/ports/{made["id"]}', 'admin')['port'], values
