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
        described = [_network(nic, ip, subnets[ip.subnet_id]) for ip in nic.fixed_ips if ip.subnet_id in subnets]
        # A link has one DHCP client for each IP version, however many addresses its port has.
        networks += [one for number, one in enumerate(described) if one not in described[:number]]
        services += [service for subnet in nic.subnets for service in _services(subnet)]
    unique = {service['address']: service for service in services}
    networks = [{'id': f'network{number}', **network} for number, network in enumerate(networks)]
    return {'links': links, 'networks': networks, 'services': list(unique.values())}


def _link(nic: Nic) -> dict[str, Any]:
    # DHCP and router advertisements carry the MTU; a fixed one would stay behind a change of the network.
    mtu = None if any(subnet.enable_dhcp for subnet in nic.subnets) else nic.mtu
    return {'id': nic.device, 'vif_id': nic.port_id, 'type': _type(nic), 'mtu': mtu, 'ethernet_mac_address': nic.mac}


def _type(nic: Nic) -> str:
    known = {'bridge', 'ovs', 'tap', 'hw_veb', 'vhostuser', 'macvtap'}
    return nic.vif_type if nic.vif_type in known else 'phy'


def _network(nic: Nic, ip: FixedIp, subnet: Subnet) -> dict[str, Any]:
    found: dict[str, Any] = {'link': nic.device, 'network_id': nic.network_id}
    mode = subnet.ipv6_address_mode
    if subnet.enable_dhcp and mode is None:
        return {**found, 'type': f'ipv{ip.version}_dhcp'}
    network = ipaddress.ip_network(subnet.cidr, strict=False)
    return {**found, 'type': f'ipv{ip.version}_{mode}' if mode else f'ipv{ip.version}', 'ip_address': ip.address,
            'netmask': str(network.netmask), 'routes': _routes(subnet), 'services': _services(subnet)}


def _services(subnet: Subnet) -> list[dict[str, str]]:
    return [{'type': 'dns', 'address': address} for address in subnet.name_servers]


def _routes(subnet: Subnet) -> list[dict[str, str]]:
    routes = [_route(destination, gateway) for destination, gateway in subnet.routes]
    if subnet.gateway:
        routes.insert(0, _route('0.0.0.0/0' if subnet.version == 4 else '::/0', subnet.gateway))
    return routes


def _route(destination: str, gateway: str) -> dict[str, str]:
    network = ipaddress.ip_network(destination, strict=False)
    return {'network': str(network.network_address), 'netmask': str(network.netmask), 'gateway': gateway}
