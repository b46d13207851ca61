"""Arithmetic of addresses."""

from __future__ import annotations

import ipaddress
import itertools

import pytest

from compute.builtin.network.control import addressing
from compute.exception import Conflict, Invalid


def pool(start: str, end: str) -> dict[str, str]:
    return {'start': start, 'end': end}


@pytest.mark.parametrize(('cidr', 'gateway', 'expected'), [
    ('10.0.0.0/24', '10.0.0.1', [pool('10.0.0.2', '10.0.0.254')]),
    ('10.0.0.0/24', '10.0.0.254', [pool('10.0.0.1', '10.0.0.253')]),
    ('10.0.0.0/24', '10.0.0.100', [pool('10.0.0.1', '10.0.0.99'), pool('10.0.0.101', '10.0.0.254')]),
    ('10.0.0.0/24', None, [pool('10.0.0.1', '10.0.0.254')]),
    ('10.0.0.0/30', '10.0.0.1', [pool('10.0.0.2', '10.0.0.2')]),
    ('10.0.0.0/31', None, [pool('10.0.0.0', '10.0.0.1')]),
    ('10.0.0.7/32', None, [pool('10.0.0.7', '10.0.0.7')]),
    ('10.0.0.7/32', '10.0.0.7', []),
    ('fd00::/64', 'fd00::1', [pool('fd00::2', 'fd00::ffff:ffff:ffff:ffff')]),
    ('fd00::/64', 'fe80::1', [pool('fd00::1', 'fd00::ffff:ffff:ffff:ffff')]),
])
def test_default_pools(cidr: str, gateway: str | None, expected: list[dict[str, str]]) -> None:
    at = None if gateway is None else ipaddress.ip_address(gateway)
    assert addressing.default_pools(addressing.network_of(cidr), at) == expected


@pytest.mark.parametrize(('pools', 'error', 'kind'), [
    ([pool('10.0.0.9', '10.0.0.5')], Invalid, 'InvalidAllocationPool'),
    ([pool('fd00::1', 'fd00::2')], Invalid, 'InvalidAllocationPool'),
    ([pool('10.0.0.0', '10.0.0.5')], Invalid, 'OutOfBoundsAllocationPool'),
    ([pool('10.0.0.200', '10.0.0.255')], Invalid, 'OutOfBoundsAllocationPool'),
    ([pool('10.0.0.1', '10.0.0.5')], Conflict, 'GatewayConflictWithAllocationPools'),
    ([pool('10.0.0.5', '10.0.0.9'), pool('10.0.0.9', '10.0.0.12')], Conflict, 'OverlappingAllocationPools'),
])
def test_pools_that_do_not_fit(pools: list[dict[str, str]], error: type[Invalid], kind: str) -> None:
    with pytest.raises(error) as caught:
        addressing.check_pools(addressing.network_of('10.0.0.0/24'), pools, ipaddress.ip_address('10.0.0.1'))
    assert caught.value.details['type'] == kind


@pytest.mark.parametrize(('pools', 'used', 'expected'), [
    ([(2, 9)], [], 2), ([(2, 9)], [2, 3, 5], 4), ([(2, 4)], [2, 3, 4], None), ([(2, 3), (7, 8)], [2, 3], 7),
    ([(2, 3), (7, 8)], [2, 3, 5, 7], 8), ([(5, 6)], [1, 2, 3], 5), ([(5, 6)], [1, 5, 9], 6), ([], [1], None),
])
def test_first_free(pools: list[tuple[int, int]], used: list[int], expected: int | None) -> None:
    assert addressing.first_free(pools, used) == expected


def test_eui64_flips_the_universal_bit() -> None:
    net = addressing.network_of('2001:db8::/64')
    assert str(addressing.eui64(net, 'fa:16:3e:12:34:56')) == '2001:db8::f816:3eff:fe12:3456'


def test_numbers_sort_as_addresses_do() -> None:
    texts = ['10.0.0.2', '10.0.0.10', '10.0.1.1', '192.168.0.1']
    assert sorted(texts, key=lambda text: addressing.number(ipaddress.ip_address(text))) == texts
    assert str(addressing.from_number(addressing.number(ipaddress.ip_address('fd00::5')), 6)) == 'fd00::5'


@pytest.mark.parametrize(('base', 'kept'), [('fa:16:3e:00:00:00', 'fa:16:3e:'), ('FA:16:3E:4f:00:00', 'fa:16:3e:4f:')])
def test_macs_begin_as_told(base: str, kept: str) -> None:
    found = list(itertools.islice(addressing.macs(base), 50))
    assert all(mac.startswith(kept) and len(mac) == 17 for mac in found)
    assert len(set(found)) > 1


@pytest.mark.parametrize('text', ['10.0.0.0/33', 'ten', '', '10.0.0.0/-1'])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(Invalid):
        addressing.network_of(text)
