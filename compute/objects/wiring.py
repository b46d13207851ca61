"""What the built-in network tells the agent of a host: networks, subnets and ports as they should be there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from compute.objects.nic import FixedIp, Subnet


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One security-group rule, resolved: ``remote`` are CIDRs (members of a remote group already listed).

    ``direction`` ingress or egress; ``ethertype`` IPv4 or IPv6; ``protocol`` a name, a number as string, or None for
    any. An empty ``remote`` means anywhere, unless ``remote_group`` is true, when it means nobody.
    """

    direction: str
    ethertype: str = 'IPv4'
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote: tuple[str, ...] = ()
    remote_group: bool = False


@dataclass(frozen=True, kw_only=True)
class PortWiring:
    """A port bound to this host. ``security`` False means neither anti-spoofing nor rules.

    ``rule_set``, which is only on its way (``packed``), is the number of its rules among its network's ``rule_sets``.
    """

    id: str
    network_id: str
    project_id: str = ''
    device_id: str = ''
    mac: str
    fixed_ips: tuple[FixedIp, ...] = ()
    allowed_address_pairs: tuple[tuple[str, str], ...] = ()
    hostname: str = ''
    admin_up: bool = True
    security: bool = True
    rules: tuple[Rule, ...] = ()
    rule_set: int | None = None


@dataclass(frozen=True, kw_only=True)
class NetworkWiring:
    """A network with ports here. ``peers`` maps addresses to MACs of ports elsewhere (DHCP and later overlays)."""

    id: str
    name: str = ''
    project_id: str = ''
    mtu: int = 1500
    kind: str = 'local'
    segment: int | None = None
    physical_network: str | None = None
    external: bool = False
    dns_domain: str = 'novalocal'
    subnets: tuple[Subnet, ...] = ()
    ports: tuple[PortWiring, ...] = ()
    rule_sets: tuple[tuple[Rule, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class AgentReport:
    """An agent's heartbeat."""

    host: str
    incarnation: str
    started_at: str
    networks: int = 0
    ports: int = 0
    problems: tuple[str, ...] = ()
    bridges: dict[str, str] = field(default_factory=dict)


def packed(network: NetworkWiring) -> NetworkWiring:
    """Return a network that says once what rules its ports have in common: they name every member of a group."""
    sets: dict[int, tuple[int, tuple[Rule, ...]]] = {}
    ports = [dataclasses.replace(port, rules=(), rule_set=sets.setdefault(id(port.rules), (len(sets), port.rules))[0])
             for port in network.ports]
    return dataclasses.replace(network, ports=tuple(ports), rule_sets=tuple(rules for _, rules in sets.values()))


def unpacked(network: NetworkWiring) -> NetworkWiring:
    """Return what ``packed`` was given; a network that is not packed stays."""
    if not network.rule_sets:
        return network
    ports = [port if port.rule_set is None else dataclasses.replace(
        port, rules=network.rule_sets[port.rule_set], rule_set=None) for port in network.ports]
    return dataclasses.replace(network, ports=tuple(ports), rule_sets=())
