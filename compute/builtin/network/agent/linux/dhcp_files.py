"""The files that tell dnsmasq about a network. Pure text: the same network always gives the same text.

``config`` is read once, so a change to it means a new dnsmasq; the others are read again on SIGHUP. Addresses are
handed out to known MACs only. IPv6 follows the address mode of the subnet. One without a mode follows the ports: where
all have addresses made from their MACs the subnet is advertised for that (SLAAC), else addresses come by DHCPv6.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux.plan import is_inside, own_gateways
from compute.builtin.network.agent.linux.spoofing import interface_id
from compute.objects.nic import Subnet
from compute.objects.wiring import NetworkWiring, PortWiring

LEASE = 86400


@dataclass(frozen=True)
class DhcpFiles:
    """Texts of the four files."""

    config: str
    hosts: str
    options: str
    names: str


@dataclass(frozen=True)
class Place:
    """Where dnsmasq runs: its folder, user and the servers that it asks."""

    folder: str
    user: str
    resolv: str
    servers: tuple[str, ...] = ()


def needed(network: NetworkWiring) -> bool:
    """Tell whether a network has anything to hand out."""
    return any(subnet.enable_dhcp for subnet in network.subnets)


def make(network: NetworkWiring, place: Place) -> DhcpFiles:
    """Return the files of a network."""
    subnets = [subnet for subnet in network.subnets if subnet.enable_dhcp]
    return DhcpFiles(_config(network, subnets, place), _hosts(network, subnets), _options(network, subnets),
                     _names(network))


def _config(network: NetworkWiring, subnets: list[Subnet], place: Place) -> str:
    lines = [
        f'interface={names.INSIDE}', 'except-interface=lo', 'bind-dynamic', 'no-hosts', 'no-ping',
        f'user={place.user}', 'domain-needed', 'bogus-priv', 'dhcp-authoritative', 'dhcp-no-override',
        'quiet-dhcp', 'quiet-dhcp6', 'quiet-ra', f'dhcp-lease-max={max(1000, 4 * len(network.ports))}',
        f'pid-file={place.folder}/pid', f'dhcp-leasefile={place.folder}/leases',
        f'dhcp-hostsfile={place.folder}/hosts', f'dhcp-optsfile={place.folder}/options',
        f'addn-hosts={place.folder}/names']
    if domain := domain_name(network):
        lines += [f'domain={domain}', f'local=/{domain}/', 'expand-hosts']
    lines += ['no-resolv', *(f'server={server}' for server in place.servers)] if place.servers else [
        f'resolv-file={place.resolv}']
    gateways = own_gateways(network)
    for subnet in subnets:
        addressed = subnet.id in gateways and is_inside(gateways[subnet.id], subnet.cidr)
        lines += _ranges(network, subnet, addressed)
    return '\n'.join(lines) + '\n'


def _ranges(network: NetworkWiring, subnet: Subnet, addressed: bool) -> list[str]:
    prefix = ipaddress.ip_network(subnet.cidr, strict=False)
    tag = f'set:{_tag(subnet)}'
    if subnet.version == 4:
        lines = [f'dhcp-range={tag},{prefix.network_address},static,{prefix.netmask},{LEASE}s']
        # Without an address of ours in the subnet dnsmasq has to be told that it is on this interface.
        return lines if addressed else [*lines, f'shared-network={names.INSIDE},{prefix.network_address}']
    mode = 'ra-stateless' if _slaac(network, subnet, prefix) else 'static'
    return ['enable-ra', f'dhcp-range={tag},{prefix.network_address},{mode},{prefix.prefixlen},{LEASE}s']


def _slaac(network: NetworkWiring, subnet: Subnet, prefix: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    if prefix.prefixlen != 64 or subnet.ipv6_address_mode == 'dhcpv6-stateful':
        return False
    if subnet.ipv6_address_mode is not None:
        return True
    mine = [(port, fixed) for port in network.ports for fixed in port.fixed_ips if fixed.subnet_id == subnet.id]
    return bool(mine) and all(int(ipaddress.ip_address(fixed.address)) == int(prefix.network_address)
                              + interface_id(port.mac) for port, fixed in mine)


def _hosts(network: NetworkWiring, subnets: list[Subnet]) -> str:
    served = {subnet.id for subnet in subnets}
    lines = []
    for port in network.ports:
        fixed = [ip for ip in port.fixed_ips if ip.subnet_id in served]
        four = [ip.address for ip in fixed if ip.version == 4][:1]
        six = [f'[{ip.address}]' for ip in fixed if ip.version == 6][:1]
        if four or six:
            lines.append(','.join([port.mac.lower(), *four, *six, *filter(None, [host_name(port)]), f'{LEASE}s']))
    return _text(lines)


def _options(network: NetworkWiring, subnets: list[Subnet]) -> str:
    gateways = own_gateways(network)
    lines = []
    for subnet in subnets:
        lines += _options4(network, subnet, gateways) if subnet.version == 4 else _options6(network, subnet, gateways)
    return _text(lines)


def _options4(network: NetworkWiring, subnet: Subnet, gateways: dict[str, str]) -> list[str]:
    tag, ours = f'tag:{_tag(subnet)}', gateways.get(subnet.id)
    # 0.0.0.0 as next hop means that the address is on the link itself.
    routes = [(f'{names.METADATA_ADDRESS}/32', ours or '0.0.0.0'), *subnet.routes]  # noqa: S104
    if subnet.gateway:
        # A client that takes option 121 ignores the router option (RFC 3442), so the default route is in both.
        if not is_inside(subnet.gateway, subnet.cidr):  # it is reached before what goes through it
            routes.insert(0, (f'{subnet.gateway}/32', '0.0.0.0'))  # noqa: S104
        routes.append(('0.0.0.0/0', subnet.gateway))
    classless = ','.join(f'{destination},{hop}' for destination, hop in routes)
    servers = [address for address in subnet.name_servers if ':' not in address]
    if not servers and not _without_dns(subnet):
        servers = [ours or names.METADATA_ADDRESS]
    lines = [f'{tag},option:classless-static-route,{classless}', f'{tag},249,{classless}',
             f'{tag},option:router' + (f',{subnet.gateway}' if subnet.gateway else ''),
             f'{tag},option:dns-server' + ''.join(f',{server}' for server in servers),
             f'{tag},option:mtu,{network.mtu}']
    if domain := domain_name(network):
        lines.append(f'{tag},option:domain-name,{domain}')
    return lines


def _options6(network: NetworkWiring, subnet: Subnet, gateways: dict[str, str]) -> list[str]:
    tag = f'tag:{_tag(subnet)}'
    servers = [address for address in subnet.name_servers if ':' in address]
    if not servers and not _without_dns(subnet):
        servers = [*filter(None, [gateways.get(subnet.id)])]
    lines = []
    if servers or _without_dns(subnet):
        lines.append(f'{tag},option6:dns-server' + ''.join(f',[{address}]' for address in servers))
    if domain := domain_name(network):
        lines.append(f'{tag},option6:domain-search,{domain}')
    return lines


def _without_dns(subnet: Subnet) -> bool:
    """Return whether no name server is to be announced; an option without a value keeps dnsmasq from naming itself."""
    return bool(subnet.dns) and not subnet.name_servers


def _names(network: NetworkWiring) -> str:
    return _text([f'{fixed.address}\t{name}' for port in network.ports if (name := host_name(port))
                  for fixed in port.fixed_ips])


def host_name(port: PortWiring) -> str:
    """Return a port's host name as far as it is one (RFC 1123); user input never breaks the file."""
    name = port.hostname.lower()
    fits = 0 < len(name) <= 63 and all(c.isascii() and (c.isalnum() or c == '-') for c in name)
    return name if fits and not name.startswith('-') and not name.endswith('-') and not name.isdecimal() else ''


def domain_name(network: NetworkWiring) -> str:
    """Return a network's domain as far as it is one."""
    name = network.dns_domain.lower().rstrip('.')
    labels = name.split('.')
    return name if len(name) < 254 and all(0 < len(label) < 64 and _is_label(label) for label in labels) else ''


def _is_label(text: str) -> bool:
    return all(c.isascii() and (c.isalnum() or c in '-_') for c in text)


def _tag(subnet: Subnet) -> str:
    return f'subnet-{subnet.id}'


def _text(lines: list[str]) -> str:
    return ''.join(f'{line}\n' for line in lines)
