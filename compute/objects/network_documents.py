"""network_data.json: a server's links, networks and name servers, in the form that cloud-init reads."""

from __future__ import annotations

import ipaddress
from typing import Any

from compute.objects.nic import FixedIp, Nic, Subnet


def network_data(nics: tuple[Nic, ...]) -> dict[str, Any]:
    """Return the document."""
    links: list[dict[str, Any]] = []
    networks: list[dict[str, Any]] = []
    services: list[dict[str, Any]] = []
    for nic in nics:
        links.append(_link(nic))
        subnets = {subnet.id: subnet for subnet in nic.subnets}
        for ip in nic.fixed_ips:
            if (subnet := subnets.get(ip.subnet_id)) is not None:
                networks.append(_network(f'network{len(networks)}', nic, ip, subnet))
        services += [{'type': 'dns', 'address': address} for subnet in nic.subnets for address in subnet.dns]
    unique = {service['address']: service for service in services}
    return {'links': links, 'networks': networks, 'services': list(unique.values())}


def _link(nic: Nic) -> dict[str, Any]:
    return {'id': nic.device, 'vif_id': nic.port_id, 'type': _type(nic), 'mtu': nic.mtu,
            'ethernet_mac_address': nic.mac}


def _type(nic: Nic) -> str:
    known = {'bridge', 'ovs', 'tap', 'hw_veb', 'vhostuser', 'macvtap'}
    return nic.vif_type if nic.vif_type in known else 'phy'


def _network(name: str, nic: Nic, ip: FixedIp, subnet: Subnet) -> dict[str, Any]:
    found: dict[str, Any] = {'id': name, 'link': nic.device, 'network_id': nic.network_id}
    if subnet.enable_dhcp:
        return {**found, 'type': 'ipv4_dhcp' if ip.version == 4 else 'ipv6_dhcp'}
    network = ipaddress.ip_network(subnet.cidr)
    return {**found, 'type': f'ipv{ip.version}', 'ip_address': ip.address, 'netmask': str(network.netmask),
            'routes': _routes(subnet), 'services': [{'type': 'dns', 'address': address} for address in subnet.dns]}


def _routes(subnet: Subnet) -> list[dict[str, str]]:
    routes = [_route(destination, gateway) for destination, gateway in subnet.routes]
    if subnet.gateway:
        routes.insert(0, _route('0.0.0.0/0' if subnet.version == 4 else '::/0', subnet.gateway))
    return routes


def _route(destination: str, gateway: str) -> dict[str, str]:
    network = ipaddress.ip_network(destination)
    return {'network': str(network.network_address), 'netmask': str(network.netmask), 'gateway': gateway}
