"""What one network means in interfaces, addresses and routes of this host. Pure: nothing here touches the host."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from compute.builtin.network.agent import names
from compute.objects.wiring import NetworkWiring, PortWiring


@dataclass(frozen=True, kw_only=True)
class Tap:
    """A port's tap. ``mac`` is the tap's own, which must differ from the guest's."""

    port_id: str
    name: str
    mac: str
    up: bool


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``index`` is the network's number on this host: its conntrack zone and its pair of link addresses.

    ``addresses`` are those of the namespace on the network, ``onlink`` the prefixes there without an address of ours,
    ``cidrs`` the IPv4 prefixes that the host may route to.
    """

    network_id: str
    index: int
    mtu: int
    taps: tuple[Tap, ...] = ()
    addresses: tuple[str, ...] = ()
    onlink: tuple[str, ...] = ()
    cidrs: tuple[str, ...] = ()
    host_address: str = ''
    namespace_address: str = ''

    @property
    def bridge(self) -> str:
        """The bridge's name."""
        return names.bridge(self.network_id)

    @property
    def namespace(self) -> str:
        """The namespace's name."""
        return names.namespace(self.network_id)

    @property
    def gateway(self) -> str:
        """The name of the bridge's end of the link to the namespace."""
        return names.gateway(self.network_id)

    @property
    def uplink(self) -> str:
        """The name of the host's end of the link from the namespace."""
        return names.uplink(self.network_id)


def link_pair(link_range: str, index: int) -> tuple[str, str]:
    """Return the addresses (host's, namespace's) of the ``index``-th link, from 1.

    :raises IndexError: when the range has no such link.
    """
    network = ipaddress.IPv4Network(link_range)
    return str(network[2 * index]), str(network[2 * index + 1])


def capacity(link_range: str) -> int:
    """Return how many links a range has room for; conntrack zones limit it too."""
    return min(ipaddress.IPv4Network(link_range).num_addresses // 2 - 1, 65534)


def own_gateways(network: NetworkWiring) -> dict[str, str]:
    """Return the gateway address by subnet id, where it is ours to hold: a guest may be the gateway itself."""
    taken = {fixed.address for port in network.ports for fixed in port.fixed_ips}
    return {subnet.id: subnet.gateway for subnet in network.subnets
            if subnet.gateway and subnet.gateway not in taken}


def is_inside(address: str, cidr: str) -> bool:
    """Return whether an address is one of a subnet: a gateway may be outside, or an IPv6 address of the link."""
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)


def _gateway_address(gateway: str, cidr: str) -> str:
    """Return a gateway with the prefix length of its link."""
    found, prefix = ipaddress.ip_address(gateway), ipaddress.ip_network(cidr, strict=False)
    length = prefix.prefixlen if found in prefix else 64 if found.is_link_local else prefix.max_prefixlen
    return f'{gateway}/{length}'


def make(network: NetworkWiring, index: int, link_range: str) -> Plan:
    """Return the plan of a network."""
    gateways = own_gateways(network)
    addresses, onlink = [f'{names.METADATA_ADDRESS}/32'], []
    for subnet in network.subnets:
        if subnet.id in gateways:
            addresses.append(_gateway_address(gateways[subnet.id], subnet.cidr))
        if subnet.id not in gateways or not is_inside(gateways[subnet.id], subnet.cidr):
            onlink.append(str(ipaddress.ip_network(subnet.cidr, strict=False)))
    host_address, namespace_address = link_pair(link_range, index)
    return Plan(
        network_id=network.id, index=index, mtu=network.mtu, taps=tuple(_tap(port) for port in network.ports),
        addresses=tuple(dict.fromkeys(addresses)), onlink=tuple(dict.fromkeys(onlink)),
        cidrs=tuple(dict.fromkeys(str(ipaddress.ip_network(subnet.cidr, strict=False))
                                  for subnet in network.subnets if subnet.version == 4)),
        host_address=host_address, namespace_address=namespace_address)


def _tap(port: PortWiring) -> Tap:
    return Tap(port_id=port.id, name=names.tap(port.id), mac=f'fe:{port.mac.lower()[3:]}', up=port.admin_up)
