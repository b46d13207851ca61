"""A server's network interface: a Neutron port with what its guest and its host must know of the network behind it."""

from __future__ import annotations

from dataclasses import dataclass, field

UNSPECIFIED = ('0.0.0.0', '::')  # noqa: S104


@dataclass(frozen=True, kw_only=True)
class FixedIp:
    """One address of a port."""

    address: str
    subnet_id: str
    version: int = 4


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet of a port's address.

    :ivar cidr: in the usual notation.
    :ivar dns: name servers; the unspecified address alone means that none is announced.
    :ivar routes: (destination, next hop) pairs.
    :ivar ipv6_address_mode: slaac, dhcpv6-stateful, dhcpv6-stateless, or None.
    """

    id: str
    cidr: str
    version: int = 4
    gateway: str | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[tuple[str, str], ...] = ()
    enable_dhcp: bool = True
    ipv6_address_mode: str | None = None


    @property
    def name_servers(self) -> tuple[str, ...]:
        """The name servers that are announced to guests."""
        return tuple(address for address in self.dns if address not in UNSPECIFIED)


@dataclass(frozen=True, kw_only=True)
class Nic:
    """``vif_type`` and ``vif_details`` are Neutron's binding answer: how the host plugs it.

    ``device`` is the name of the tap on the host. ``owned`` tells whether Compute made the port and so deletes it.
    """

    port_id: str
    network_id: str
    network_name: str = ''
    mac: str
    device: str = ''
    mtu: int = 1500
    vif_type: str = ''
    vif_details: dict[str, str] = field(default_factory=dict)
    vnic_type: str = 'normal'
    fixed_ips: tuple[FixedIp, ...] = ()
    subnets: tuple[Subnet, ...] = ()
    security_groups: tuple[str, ...] = ()
    active: bool = False
    owned: bool = True
    tag: str | None = None


@dataclass(frozen=True, kw_only=True)
class NicRequest:
    """What the user asked for: a port, or a network and perhaps an address in it."""

    network_id: str | None = None
    port_id: str | None = None
    fixed_ip: str | None = None
    tag: str | None = None


def device_name(port_id: str) -> str:
    """Return the name of the tap of a port: ``tap`` and the first eleven characters, as Neutron's agents expect."""
    return f'tap{port_id[:11]}'
