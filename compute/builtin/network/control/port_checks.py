"""Checks of ports: port security with groups and address pairs, the pairs themselves, kinds of interface. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from compute.builtin.network.control import addressing
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Invalid

MOST_PAIRS = 10
OF_NETWORK = 'network:'
"""How the ``device_owner`` begins of ports that belong to the network itself, such as those of DHCP."""
_VNIC_TYPES = ('accelerator-direct', 'accelerator-direct-physical', 'baremetal', 'direct', 'direct-physical', 'macvtap',
               'normal', 'remote-managed', 'smart-nic', 'vdpa', 'virtio-forwarder')


def has_security(network: Row, attributes: Mapping[str, Any]) -> bool:
    """Return ``port_security_enabled`` of a new port: as asked, else by its owner, its groups and its network."""
    if 'port_security_enabled' in attributes:
        return bool(attributes['port_security_enabled'])
    if (attributes.get('device_owner') or '').startswith(OF_NETWORK):
        return False
    return bool(attributes.get('security_groups')) or bool(network['port_security_enabled'])


def demand_security(port: Mapping[str, Any], groups: Collection[str], attributes: Mapping[str, Any]) -> None:
    """Return if a port has port security or needs none.

    :raises Invalid: groups are asked for in the same request, by ``attributes``, that leaves it without.
    :raises Conflict: it has groups, or address pairs.
    """
    if port['port_security_enabled']:
        return
    if attributes.get('security_groups'):
        raise Invalid('security_groups: port_security_enabled of the port is false; groups need it to be true.',
                      details={'type': 'PortSecurityAndIPRequiredForSecurityGroups'})
    if groups:
        raise Conflict('Port has security group associated. Cannot disable port security or IP address until security '
                       'group is removed.', details={'type': 'PortSecurityPortHasSecurityGroup'})
    if port['allowed_address_pairs']:
        raise Conflict('Port Security must be enabled in order to have allowed address pairs on a port.',
                       details={'type': 'AddressPairAndPortSecurityRequired'})


def read_pairs(pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return address pairs in canonical form. :raises Invalid: too many, or one that is none."""
    if len(pairs) > MOST_PAIRS:
        raise Invalid(f'The number of allowed address pairs exceeds the maximum {MOST_PAIRS}.',
                      details={'type': 'AllowedAddressPairExhausted'})
    return [_pair(pair) for pair in pairs]


def _pair(pair: Mapping[str, Any]) -> dict[str, str]:
    text = pair['ip_address']
    found = addressing.network_of(text, what='allowed_address_pairs.ip_address')
    if found.is_multicast:
        raise Invalid(f'allowed_address_pairs: {found} is a multicast address, which is no source of packets',
                      details={'type': 'InvalidInput'})
    shown = str(found) if '/' in text else str(found.network_address)
    mac = pair.get('mac_address')
    return {'ip_address': shown, **(
        {'mac_address': addressing.mac_of(mac, 'allowed_address_pairs.mac_address')} if mac else {})}


def demand_pairs_add(port: Row, addresses: Iterable[Row]) -> None:
    """Return if each address pair of a port adds something.

    :raises Invalid: one is there twice, or is the port's own MAC with one of its ``addresses``.
    """
    seen = set()
    own = {(port['mac_address'], ipaddress.ip_network(row['address'])) for row in addresses}
    for pair in port['allowed_address_pairs']:
        mac = pair.get('mac_address') or port['mac_address']
        found = (mac, ipaddress.ip_network(pair['ip_address']))
        if found in seen:
            raise Invalid('Request contains duplicate address pair: '
                          f'mac_address {mac} ip_address {pair["ip_address"]}.',
                          details={'type': 'DuplicateAddressPairInRequest'})
        if found in own:
            raise Invalid(f"Port's Fixed IP and Mac Address match an address pair entry: mac_address {mac} ip_address "
                          f'{pair["ip_address"]}.', details={'type': 'AddressPairMatchesPortFixedIPAndMac'})
        seen.add(found)


def demand_vnic_type(value: str) -> str:
    """Return a kind of interface. :raises Invalid: there is none of that name."""
    if value not in _VNIC_TYPES:
        raise Invalid(f'binding:vnic_type: {value[:50]!r} is none of {", ".join(_VNIC_TYPES)}',
                      details={'type': 'InvalidInput'})
    return value
