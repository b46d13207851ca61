"""From the Network API's answers to values of ours."""

from __future__ import annotations

from typing import Any

import pytest

from compute.clients import network, nics

SUBNET = {'id': 's', 'cidr': 'fd00::/64', 'ip_version': 6, 'gateway_ip': 'fd00::1', 'dns_nameservers': [],
          'host_routes': [], 'enable_dhcp': True, 'ipv6_address_mode': 'slaac', 'ipv6_ra_mode': 'slaac'}


class Answer(dict[str, Any]):
    """An item of an answer that notes which of its attributes are read."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


@pytest.mark.parametrize('mode', ['slaac', 'dhcpv6-stateful', 'dhcpv6-stateless', None])
def test_a_subnet_keeps_its_ipv6_address_mode(mode: str | None) -> None:
    assert nics.subnet_of({**SUBNET, 'ipv6_address_mode': mode}).ipv6_address_mode == mode


def test_the_attributes_of_a_subnet_that_are_read_are_asked_for() -> None:
    answer = Answer(SUBNET)
    nics.subnet_of(answer)
    assert answer.read == set(network._OF_SUBNET)
