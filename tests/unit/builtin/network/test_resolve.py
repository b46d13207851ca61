"""Rules as hosts get them."""

from __future__ import annotations

from typing import Any

from compute.builtin.network.control.resolve import cidr, resolve
from compute.objects.wiring import Rule

RULE: dict[str, Any] = {'direction': 'ingress', 'ethertype': 'IPv4', 'protocol': None, 'port_range_min': None,
                        'port_range_max': None, 'remote_ip_prefix': None, 'remote_group_id': None}
MEMBERS = {'g': {'10.0.0.9/32', '10.0.0.10/32', 'fd00::1/128'}}


def test_a_remote_group_becomes_its_members_of_that_version() -> None:
    rules = [{**RULE, 'remote_group_id': 'g'}, {**RULE, 'remote_group_id': 'g', 'ethertype': 'IPv6'}]
    assert resolve(rules, MEMBERS) == (
        Rule(direction='ingress', remote=('10.0.0.10/32', '10.0.0.9/32'), remote_group=True),
        Rule(direction='ingress', ethertype='IPv6', remote=('fd00::1/128',), remote_group=True))


def test_an_empty_group_lets_nobody_in() -> None:
    assert resolve([{**RULE, 'remote_group_id': 'empty'}], MEMBERS) == (Rule(direction='ingress', remote_group=True),)


def test_prefixes_ports_and_repetition() -> None:
    rule = {**RULE, 'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 23, 'remote_ip_prefix': '10.0.0.0/8'}
    typed = {**rule, 'remote_ip_prefix': '10.1.2.3/8'}
    assert resolve([rule, dict(rule), typed], {}) == (
        Rule(direction='ingress', protocol='tcp', port_min=22, port_max=23, remote=('10.0.0.0/8',)),)


def test_the_order_does_not_depend_on_the_rows() -> None:
    rules = [{**RULE, 'protocol': name} for name in ('udp', 'tcp', 'icmp')]
    assert resolve(rules, {}) == resolve(rules[::-1], {})


def test_an_address_as_a_cidr() -> None:
    found = [cidr(text) for text in ('10.0.0.1', 'fd00::1', '10.0.0.0/8')]
    assert found == ['10.0.0.1/32', 'fd00::1/128', '10.0.0.0/8']
