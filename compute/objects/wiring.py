"""What the built-in network tells the agent of a host: networks, subnets and ports as they should be there."""

from __future__ import annotations

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
    """A port bound to this host. ``security`` False means neither anti-spoofing nor rules."""

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
