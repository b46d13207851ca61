"""Security-group rules as nft matches, and the sets against forged addresses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux import filtering, nat, plan, spoofing
from compute.builtin.network.agent.linux.nft import Table, match, meta, payload
from compute.builtin.network.agent.linux.settings import Settings
from compute.objects.wiring import Rule
from tests.contract.network_agent.making import make_network, make_port

SETTINGS = Settings(state_dir='/nowhere')
IPV4, IPV6 = match(meta('nfproto'), 'ipv4'), match(meta('nfproto'), 'ipv6')


def _l4(number: int) -> Any:
    return match(meta('l4proto'), number)


@pytest.mark.parametrize(('rule', 'expected'), [
    (Rule(direction='ingress'), [IPV4]),
    (Rule(direction='ingress', ethertype='IPv6'), [IPV6]),
    (Rule(direction='ingress', protocol='any'), [IPV4]),
    (Rule(direction='ingress', protocol='tcp', port_min=22, port_max=22),
     [IPV4, _l4(6), match(payload('th', 'dport'), 22)]),
    (Rule(direction='ingress', protocol='17', port_min=1, port_max=9),
     [IPV4, _l4(17), match(payload('th', 'dport'), {'range': [1, 9]})]),
    (Rule(direction='ingress', protocol='icmp', port_min=8, port_max=0),
     [IPV4, _l4(1), match(payload('icmp', 'type'), 8), match(payload('icmp', 'code'), 0)]),
    (Rule(direction='ingress', ethertype='IPv6', protocol='icmp'), [IPV6, _l4(58)]),
    (Rule(direction='ingress', protocol='vrrp'), [IPV4, _l4(112)]),
    (Rule(direction='ingress', remote=('0.0.0.0/0',)), [IPV4]),
    (Rule(direction='ingress', remote=('10.0.0.4/32', '10.0.0.5/32', '10.0.0.4/32')),
     [IPV4, match(payload('ip', 'saddr'), {'set': [{'prefix': {'addr': '10.0.0.4', 'len': 31}}]})]),
    (Rule(direction='ingress', remote=('10.0.0.9/32',), remote_group=True),
     [IPV4, match(payload('ip', 'saddr'), {'set': ['10.0.0.9']})]),
])
def test_rule_matches(rule: Rule, expected: list[Any]) -> None:
    assert filtering.statements((rule,), 'ingress') == [expected]


@pytest.mark.parametrize('rule', [
    Rule(direction='ingress', remote_group=True),
    Rule(direction='ingress', remote=('fd00::/8',)),
    Rule(direction='egress'),
])
def test_rule_matches_nobody(rule: Rule) -> None:
    assert filtering.statements((rule,), 'ingress') == []


def test_egress_rule_looks_at_the_destination() -> None:
    [[_, remote]] = filtering.statements((Rule(direction='egress', remote=('10.0.0.0/8',)),), 'egress')
    assert remote['match']['left'] == payload('ip', 'daddr')


def test_equal_rules_share_a_chain_in_any_order() -> None:
    one, two = Rule(direction='ingress'), Rule(direction='ingress', ethertype='IPv6')
    network = make_network(*(make_port(n, rules=(one, two) if n % 2 else (two, one, two)) for n in range(1, 40)))
    made = filtering.table([network], spoofing.numbers([network]), {network.id: 1}, SETTINGS)
    chains = [command['add']['chain']['name'] for command in made.commands if 'chain' in command['add']]
    assert len([chain for chain in chains if '_' in chain]) == 2


def _set(made: Table, name: str) -> list[Any]:
    return next(command['add']['set'].get('elem', []) for command in made.commands
                if command['add'].get('set', {}).get('name') == name)


def test_spoofing_sets_hold_own_and_allowed_addresses() -> None:
    port = make_port(1, allowed_address_pairs=(('10.9.0.0/24', ''), ('10.1.0.200', 'FA:16:3E:AA:00:01')))
    network = make_network(port)
    made = spoofing.table([network], spoofing.numbers([network]))
    tap = names.tap(port.id)
    assert {'concat': [tap, 'fa:16:3e:00:00:01', '10.1.0.11']} in _set(made, 'own4')
    assert {'concat': [tap, 'fa:16:3e:aa:00:01', '10.1.0.200']} in _set(made, 'own4')
    assert _set(made, 'own4_ranges') == [
        {'concat': [tap, 'fa:16:3e:00:00:01', {'prefix': {'addr': '10.9.0.0', 'len': 24}}]}]
    assert {'concat': [tap, 'fa:16:3e:00:00:01', 'fe80::f816:3eff:fe00:1']} in _set(made, 'own6')


def test_port_without_security_is_in_no_set_but_ports() -> None:
    port = make_port(1, security=False)
    network = make_network(port)
    marks = spoofing.numbers([network])
    made = spoofing.table([network], marks)
    assert marks == {} and _set(made, 'secured') == [] and _set(made, 'macs') == []
    assert names.tap(port.id) in _set(made, 'ports')
    rules = json.dumps(filtering.table([network], marks, {network.id: 1}, SETTINGS).commands)
    assert 'ingress_' in rules and '"goto"' not in rules


def test_nat_can_be_switched_off() -> None:
    network = make_network(make_port(1))
    with_nat, without = (json.dumps(nat.host_table([network], Settings(state_dir='/nowhere', nat=on)).commands)
                         for on in (True, False))
    assert 'masquerade' in with_nat and 'masquerade' not in without


def test_link_addresses_do_not_overlap() -> None:
    pairs = [plan.link_pair('100.64.0.0/24', index) for index in range(1, plan.capacity('100.64.0.0/24') + 1)]
    flat = [address for pair in pairs for address in pair]
    assert len(set(flat)) == len(flat) == 254 and pairs[0] == ('100.64.0.2', '100.64.0.3')
    with pytest.raises(IndexError):
        plan.link_pair('100.64.0.0/24', 128)
