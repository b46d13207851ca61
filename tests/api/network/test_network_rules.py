"""Rules of security groups: equal ones are one, each is shown as typed, what is wrong is named."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import sqlalchemy as sa

from compute.builtin.network.db import tables
from tests.api.network.serving import Site

ANY4 = {'ethertype': 'IPv4'}
ANY6 = {'ethertype': 'IPv6'}
TCP = {'protocol': 'tcp'}
ICMP6 = {'ethertype': 'IPv6', 'protocol': 'ipv6-icmp'}
WEB = {'protocol': 'tcp', 'port_range_min': 80, 'port_range_max': 80}
PREFIX = {'remote_ip_prefix': '10.0.0.0/8'}
BIT = {'protocol': 'icmp', 'port_range_min': 0}


def group(site: Site) -> str:
    """Make a security group without rules and return its id."""
    made = site.post('/security-groups', {'security_group': {'name': 'g'}})['security_group']
    for rule in made['security_group_rules']:
        site.delete(f'/security-group-rules/{rule["id"]}')
    return str(made['id'])


def add(site: Site, group_id: str, values: dict[str, Any], status: int = 201) -> dict[str, Any]:
    """Add a rule and return it, or the refusal."""
    answer = site.post('/security-group-rules', {'security_group_rule': {
        'security_group_id': group_id, 'direction': 'ingress', **values}}, status=status)
    return dict(answer.get('security_group_rule') or answer['NeutronError'])


@pytest.mark.parametrize(('first', 'second'), [
    (ANY4, {'remote_ip_prefix': '0.0.0.0/0'}), (ANY4, {'remote_ip_prefix': '8.8.8.8/0'}), (ANY4, {'protocol': 'any'}),
    (ANY6, {'ethertype': 'ipv6', 'remote_ip_prefix': '::/0'}), ({}, ANY4), ({'ethertype': None}, ANY4),
    (TCP, {'protocol': 'tcp', 'port_range_min': 1, 'port_range_max': 65535}), (TCP, {'protocol': 6}),
    (TCP, {'protocol': '6'}), (TCP, {'protocol': 'TCP'}), (TCP, {'protocol': '006'}),
    ({'protocol': 'udplite'}, {'protocol': 136, 'port_range_min': '1', 'port_range_max': '65535'}),
    (WEB, {**WEB, 'protocol': '6', 'port_range_min': '80'}),
    (ICMP6, {**ICMP6, 'protocol': 'icmpv6'}), (ICMP6, {**ICMP6, 'protocol': 'icmp'}),
    (ICMP6, {**ICMP6, 'protocol': '58'}), (ICMP6, {**ICMP6, 'protocol': 1}), (ICMP6, {**ICMP6, 'protocol': '1'}),
    ({'protocol': 'icmp'}, {'protocol': '1'}), ({'protocol': 'ip'}, {'protocol': 'ipip'}),
    (PREFIX, {'remote_ip_prefix': '10.1.2.3/8'}), (PREFIX, {'remote_ip_prefix': '10.0.0.0/255.0.0.0'}),
    ({'remote_ip_prefix': '10.0.0.1'}, {'remote_ip_prefix': '10.0.0.1/32'}),
    ({**ANY6, 'remote_ip_prefix': 'fd00::1'}, {**ANY6, 'remote_ip_prefix': 'FD00:0::1/128'}),
])
@pytest.mark.parametrize('turned', [False, True])
def test_rules_that_mean_the_same_are_one(site: Site, first: dict[str, Any], second: dict[str, Any],
                                          turned: bool) -> None:
    own = group(site)
    rule = add(site, own, second if turned else first)
    refused = add(site, own, first if turned else second, 409)
    assert (refused['type'], refused['message']) == (
        'SecurityGroupRuleExists', f'Security group rule already exists. Rule id is {rule["id"]}.')
    assert len(site.get(f'/security-group-rules?security_group_id={own}')['security_group_rules']) == 1


@pytest.mark.parametrize(('first', 'second'), [
    (ANY4, ANY6), (ANY4, {'direction': 'egress'}), (TCP, {'protocol': 'udp'}), (TCP, WEB), (WEB, {**WEB, **PREFIX}),
    ({'protocol': 'icmp'}, BIT), (BIT, {**BIT, 'port_range_max': 0}), (BIT, {**BIT, 'port_range_min': 1}),
    (TCP, {'protocol': 'tcp', 'port_range_min': 1, 'port_range_max': 65534}),
    (PREFIX, {'remote_ip_prefix': '10.0.0.0/9'}),
])
def test_rules_that_mean_something_else_are_two(site: Site, first: dict[str, Any], second: dict[str, Any]) -> None:
    own = group(site)
    assert add(site, own, first)['id'] != add(site, own, second)['id']
    add(site, group(site), first)


def test_a_remote_group_is_part_of_a_rule(site: Site) -> None:
    own, other = group(site), group(site)
    add(site, own, {'remote_group_id': own})
    add(site, own, {'remote_group_id': other})
    add(site, own, {})
    assert add(site, own, {'remote_group_id': other}, 409)['type'] == 'SecurityGroupRuleExists'


def test_equal_rules_in_one_request_make_none(site: Site) -> None:
    own = group(site)
    values = {'security_group_id': own, 'direction': 'ingress'}
    site.post('/security-group-rules', {'security_group_rules': [
        values, {**values, 'remote_ip_prefix': '0.0.0.0/0'}]}, status=409)
    assert site.get(f'/security-group-rules?security_group_id={own}')['security_group_rules'] == []


def test_the_rules_of_a_new_and_of_a_default_group_are_not_made_twice(site: Site) -> None:
    made = site.post('/security-groups', {'security_group': {'name': 'g'}})['security_group']['id']
    default = site.get('/security-groups?name=default')['security_groups'][0]['id']
    for own in (made, default):
        egress = {'direction': 'egress', 'remote_ip_prefix': '::/0', 'ethertype': 'IPv6'}
        assert add(site, own, egress, 409)['type'] == 'SecurityGroupRuleExists'
    assert add(site, default, {'remote_group_id': default}, 409)['type'] == 'SecurityGroupRuleExists'


@pytest.mark.parametrize(('typed', 'shown'), [
    ({'remote_ip_prefix': '10.1.2.3/8'}, {'remote_ip_prefix': '10.1.2.3/8', 'normalized_cidr': '10.0.0.0/8'}),
    ({'remote_ip_prefix': '10.1.2.3'}, {'remote_ip_prefix': '10.1.2.3', 'normalized_cidr': '10.1.2.3/32'}),
    ({'remote_ip_prefix': '0.0.0.0/0'}, {'remote_ip_prefix': '0.0.0.0/0', 'normalized_cidr': '0.0.0.0/0'}),
    ({**ANY6, 'remote_ip_prefix': 'FD00::1/64'}, {'remote_ip_prefix': 'FD00::1/64', 'normalized_cidr': 'fd00::/64'}),
    ({}, {'remote_ip_prefix': None, 'normalized_cidr': None, 'protocol': None, 'port_range_min': None}),
    ({'remote_ip_prefix': ''}, {'remote_ip_prefix': None, 'normalized_cidr': None}),
    ({'protocol': 'tcp', 'port_range_min': 1, 'port_range_max': 65535},
     {'protocol': 'tcp', 'port_range_min': 1, 'port_range_max': 65535}),
    ({'protocol': 6}, {'protocol': '6'}), ({'protocol': 'any'}, {'protocol': None}),
    ({**ANY6, 'protocol': '1'}, {'protocol': 'ipv6-icmp'}), ({**ANY6, 'protocol': '58'}, {'protocol': '58'}),
    (BIT, {'port_range_min': 0, 'port_range_max': None}),
])
def test_a_rule_is_shown_as_typed(site: Site, typed: dict[str, Any], shown: dict[str, Any]) -> None:
    made = add(site, group(site), typed)
    for rule in (made, site.get(f'/security-group-rules/{made["id"]}')['security_group_rule']):
        assert {name: rule[name] for name in shown} == shown
        assert 'rule_key' not in rule


def test_a_rule_of_a_daemon_of_the_version_before_is_known(site: Site) -> None:
    own = group(site)
    rule = add(site, own, WEB)
    site.daemon.db.transaction(lambda connection: connection.execute(
        tables.security_group_rules.update().values(rule_key=None)))
    refused = add(site, own, {**WEB, 'protocol': 6, 'remote_ip_prefix': '0.0.0.0/0'}, 409)
    assert rule['id'] in refused['message']
    add(site, own, TCP)


def test_the_database_holds_that_a_rule_is_one(site: Site) -> None:
    own = group(site)
    rule = add(site, own, WEB)

    def again(connection: Any) -> None:
        table = tables.security_group_rules
        row = dict(connection.execute(sa.select(table).where(table.c.id == rule['id'])).one()._mapping)
        connection.execute(table.insert().values({**row, 'id': str(uuid.uuid4())}))
    with pytest.raises(sa.exc.IntegrityError):
        site.daemon.db.transaction(again)


@pytest.mark.parametrize(('value', 'shown'), [(65536, '65536'), (-1, '-1'), ('70000', '70000'), ('http', "'http'"),
                                              ('', "''"), (0, '0')])
@pytest.mark.parametrize('name', ['port_range_min', 'port_range_max'])
def test_a_bad_port_is_named(site: Site, name: str, value: Any, shown: str) -> None:
    refused = add(site, group(site), {**WEB, name: value}, 400)
    assert (refused['type'], refused['message']) == ('SecurityGroupInvalidPortValue', f'Invalid value for port {shown}')


@pytest.mark.parametrize('ident', ['nobody', '', '11111111-2222-3333-4444-555555555555', 'a' * 200])
@pytest.mark.parametrize('name', ['remote_group_id', 'security_group_id'])
def test_a_group_that_is_none_is_not_found(site: Site, name: str, ident: str) -> None:
    refused = add(site, group(site), {name: ident}, 404)
    assert refused['type'] == 'SecurityGroupNotFound'
