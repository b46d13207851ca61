"""Networks, ports and the daemon's end of the contract, for tests of the network agent."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from compute import exception
from compute.conf import http
from compute.conf import network_agent as options
from compute.objects.nic import FixedIp, Subnet
from compute.objects.wiring import AgentReport, NetworkWiring, PortWiring, Rule, packed
from tests.waiting import wait_until

EGRESS = (Rule(direction='egress'), Rule(direction='egress', ethertype='IPv6'))
HOST = 'host-1'


def make_conf(**values: Any) -> cfg.ConfigOpts:
    """Return a configuration with the agent's options."""
    conf = cfg.ConfigOpts()
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    # A group object keeps the overrides of every configuration that it was registered with.
    for each in (options, http):
        group = cfg.OptGroup(each.GROUP.name)
        conf.register_group(group)
        conf.register_opts(each.OPTS, group=group)
    for name, value in values.items():
        conf.set_override(name, value, group='network_agent')
    return conf


def make_network(*ports: PortWiring, cidr: str = '10.1.0.0/24', gateway: str | None = '10.1.0.1',
                 **values: Any) -> NetworkWiring:
    """Return a network with one IPv4 subnet named ``four``."""
    subnets = values.pop('subnets', None) or (Subnet(id='four', cidr=cidr, gateway=gateway),)
    network_id = values.pop('id', None) or str(uuid.uuid4())
    ports = tuple(_in(network_id, port) for port in ports)
    return NetworkWiring(id=network_id, subnets=subnets, ports=ports, **values)


def _in(network_id: str, port: PortWiring) -> PortWiring:
    import dataclasses
    return dataclasses.replace(port, network_id=network_id)


def make_port(number: int, address: str = '', *, rules: tuple[Rule, ...] = EGRESS, **values: Any) -> PortWiring:
    """Return a port; ``number`` makes its MAC, and its address where none is given."""
    fixed = values.pop('fixed_ips', None) or (
        FixedIp(address=address or f'10.1.0.{10 + number}', subnet_id='four'),)
    return PortWiring(id=values.pop('id', None) or str(uuid.uuid4()), network_id='', mac=f'fa:16:3e:00:00:{number:02x}',
                      device_id=values.pop('device_id', f'server-{number}'), project_id='project', rules=rules,
                      fixed_ips=fixed, hostname=values.pop('hostname', f'guest-{number}'), **values)


class Daemon:
    """Answers for ``AgentReports`` in memory. ``answers`` False makes it unreachable, ``old`` of the release before."""

    def __init__(self) -> None:
        self.networks: list[NetworkWiring] = []
        self.up: list[str] = []
        self.failed: dict[str, str] = {}
        self.beats: list[AgentReport] = []
        self.asked = 0
        self.answers = True
        self.old = False
        self.calls = 0
        self._lock = threading.Lock()

    def client(self, interface: type) -> Any:
        """Stand in for ``Rpc.client``."""
        return self

    def state(self, context: Any, *, host: str, pack: bool = False) -> list[NetworkWiring]:
        """Return the networks."""
        self._reach()
        self.asked += 1
        return [packed(network) for network in self.networks] if pack and not self.old else self.networks

    def port_up(self, context: Any, *, host: str, port_id: str) -> None:
        """Note it."""
        self._reach()
        self.up.append(port_id)
        self.calls += 1

    def ports_up(self, context: Any, *, host: str, port_ids: list[str]) -> list[str]:
        """Note them; one of the release before does not know this."""
        self._reach()
        if self.old:
            raise exception.Unavailable('it is of another version', code='rpc_version')
        self.up += port_ids
        self.calls += 1
        return []

    def port_failed(self, context: Any, *, host: str, port_id: str, reason: str) -> None:
        """Note it."""
        self._reach()
        self.failed[port_id] = reason

    def heartbeat(self, context: Any, *, report: AgentReport) -> None:
        """Note it."""
        self._reach()
        self.beats.append(report)

    def _reach(self) -> None:
        with self._lock:
            if not self.answers:
                raise exception.Unavailable('nobody answers')


def wait_for(what: Callable[[], Any], message: str = '', patience: float = 20.0) -> Any:
    """Wait until ``what()`` is true and return it."""
    return wait_until(what, message or repr(what), patience)
