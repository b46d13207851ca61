"""Networks, ports and security groups as Compute sees them: what a choice of network, or of a port, depends on."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from compute.objects.nic import FixedIp, Nic


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network. ``external`` ones lead to the outside; ``port_security`` False means that groups do not apply."""

    id: str
    name: str = ''
    project_id: str = ''
    shared: bool = False
    external: bool = False
    admin_up: bool = True
    mtu: int = 1500
    port_security: bool = True
    subnet_ids: tuple[str, ...] = ()

    @property
    def has_subnets(self) -> bool:
        """Whether a port here can get an address."""
        return bool(self.subnet_ids)


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port. ``device_id`` is the server that uses it, empty while it is free; ``host`` where it is bound.

    ``owned``: Compute made it for a server; otherwise it is a user's. Known where ports are listed whole.
    """

    id: str
    network_id: str
    name: str = ''
    project_id: str = ''
    device_id: str = ''
    device_owner: str = ''
    mac: str = ''
    status: str = 'DOWN'
    host: str = ''
    vnic_type: str = 'normal'
    fixed_ips: tuple[FixedIp, ...] = ()
    security_groups: tuple[str, ...] = ()
    deferred_ip: bool = False
    owned: bool = False
    created_at: datetime.datetime | None = None

    @property
    def of_server(self) -> bool:
        """Whether it is, or was, a server's."""
        return self.device_owner.startswith('compute:') and bool(self.device_id)


@dataclass(frozen=True, kw_only=True)
class ServerPort:
    """A port that names a server as its device: ``port`` as Network shows it, ``nic`` as the server has it."""

    port: Port
    nic: Nic


@dataclass(frozen=True, kw_only=True)
class SecurityGroupRule:
    """What a group lets in: from addresses (``cidr``, None for all) or from members of ``remote_group_id``."""

    id: str
    version: int = 4
    protocol: str | None = None
    first_port: int | None = None
    last_port: int | None = None
    cidr: str | None = None
    remote_group_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class SecurityGroup:
    """A security group with its rules for what comes in. Names need not be unique in a project."""

    id: str
    name: str
    project_id: str = ''
    description: str = ''
    rules: tuple[SecurityGroupRule, ...] = ()
