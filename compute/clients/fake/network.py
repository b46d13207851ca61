"""A Network service in memory: networks with subnets, ports with addresses, a default security group per project.

It keeps Neutron's JSON, so that the translation to the core's values is the same as for the real one.
"""

from __future__ import annotations

import ipaddress
import itertools
import threading
import uuid
from collections.abc import Callable, Collection, Sequence
from typing import Any

from compute import exception
from compute.clients import nics
from compute.clients.network import MADE
from compute.context import RequestContext
from compute.objects.network import Network, Port, SecurityGroup, ServerPort
from compute.objects.nic import Nic, Subnet

Json = dict[str, Any]
AUTO = 'auto_allocated_network'


class FakeNetworks:
    """``on_wired`` is called with (port id, device id) when a port is bound, which a real network does a little later.

    ``broken_hosts`` cannot bind; ``refuse`` makes every call raise; ``port_quota`` limits the ports of a project;
    ``asked`` holds the servers of each call of ``nics_of``.
    """

    def __init__(self, *, on_wired: Callable[[str, str], None] | None = None, port_quota: int = 10000) -> None:
        self._networks: dict[str, Json] = {}
        self._subnets: dict[str, Json] = {}
        self._ports: dict[str, Json] = {}
        self._groups: dict[str, Json] = {}
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._error: exception.ComputeError | None = None
        self._on_wired, self.port_quota = on_wired, port_quota
        self.broken_hosts: set[str] = set()
        self.agents: set[str] = set()
        self.agent_problems: dict[str, tuple[str, ...]] = {}
        self.asked: list[tuple[str, ...]] = []

    def add_network(self, *, project_id: str = '', name: str = 'net', shared: bool = False, external: bool = False,
                    cidr: str | None = '10.0.0.0/24', **more: Any) -> str:
        """Make a network, with a subnet unless ``cidr`` is None, and return its id."""
        network_id = str(uuid.uuid4())
        with self._lock:
            self._networks[network_id] = {
                'id': network_id, 'name': name, 'project_id': project_id, 'shared': shared, 'admin_state_up': True,
                'router:external': external, 'mtu': 1500, 'port_security_enabled': True, 'subnets': [], **more}
            if cidr:
                self.add_subnet(network_id, cidr)
        return network_id

    def add_subnet(self, network_id: str, cidr: str, **more: Any) -> str:
        """Add a subnet and return its id; its gateway is the first address."""
        subnet_id = str(uuid.uuid4())
        block = ipaddress.ip_network(cidr)
        with self._lock:
            self._subnets[subnet_id] = {
                'id': subnet_id, 'network_id': network_id, 'cidr': cidr, 'ip_version': block.version,
                'gateway_ip': str(block[1]), 'dns_nameservers': [], 'host_routes': [], 'enable_dhcp': True, **more}
            self._networks[network_id]['subnets'].append(subnet_id)
        return subnet_id

    def add_group(self, project_id: str, name: str, **more: Any) -> str:
        """Make a security group and return its id."""
        group_id = str(uuid.uuid4())
        with self._lock:
            self._groups[group_id] = {'id': group_id, 'name': name, 'project_id': project_id, **more}
        return group_id

    def add_port(self, network_id: str, *, project_id: str, fixed_ip: str | None = None, **more: Any) -> str:
        """Make a port of a user's own and return its id."""
        with self._lock:
            return str(self._make_port(network_id, project_id, fixed_ip, more)['id'])

    def refuse(self, error: exception.ComputeError | None) -> None:
        """Let every call raise this, or none."""
        self._error = error

    @property
    def ports(self) -> list[Port]:
        """All ports, for tests that look for leftovers."""
        with self._lock:
            return [nics.port_of(port) for port in self._ports.values()]

    def networks(self, context: RequestContext) -> list[Network]:
        """Return the project's own and the shared networks."""
        with self._locked():
            return [nics.network_of(network) for network in self._networks.values()
                    if network['shared'] or network['project_id'] == context.project_id]

    def network(self, context: RequestContext | None, network_id: str) -> Network:
        """Return a network."""
        with self._locked():
            return nics.network_of(self._network(context, network_id))

    def port(self, context: RequestContext | None, port_id: str, soon: bool = False) -> Port:
        """Return a port."""
        with self._locked():
            return nics.port_of(self._port(context, port_id))

    def subnets(self, context: RequestContext, network_id: str) -> list[Subnet]:
        """Return the subnets of a network."""
        with self._locked():
            return [nics.subnet_of(self._subnets[key]) for key in self._network(context, network_id)['subnets']]

    def holder(self, network_id: str, address: str) -> Port | None:
        """Return the port that has an address."""
        with self._locked():
            return next((nics.port_of(port) for port in self._ports.values() if port['network_id'] == network_id
                         and any(ip['ip_address'] == address for ip in port['fixed_ips'])), None)

    def security_groups(self, context: RequestContext) -> list[SecurityGroup]:
        """Return the project's groups; the default one comes into being by itself."""
        with self._locked():
            self._default_group(context.project_id or '')
            return [nics.security_group_of(group) for group in self._groups.values()
                    if group['project_id'] == context.project_id]

    def groups_by_id(self, ids: Collection[str], soon: bool = False) -> list[SecurityGroup]:
        """Return groups by id."""
        with self._locked():
            return [nics.security_group_of(self._groups[key]) for key in dict.fromkeys(ids) if key in self._groups]

    def create_port(self, context: RequestContext | None, network_id: str, *, project_id: str, device_id: str,
                    fixed_ip: str | None = None, mac: str | None = None, security_groups: Sequence[str] = (),
                    name: str = '', host: str | None = None, hostname: str | None = None, zone: str = '') -> Nic:
        """Make a port and bind it."""
        with self._locked():
            self._network(None if host else context, network_id)
            more: Json = {'name': name, 'description': MADE, 'device_id': device_id,
                          'device_owner': f'compute:{zone or "nova"}'}
            if security_groups:
                more['security_groups'] = list(security_groups)
            if mac:
                more['mac_address'] = mac.lower()
            port = self._make_port(network_id, project_id, fixed_ip, more)
            if host and not self._bind(port, host):
                del self._ports[port['id']]
                raise _binding_failed(port, host)
            nic = self._nic(port)
        self._wired(port)
        return nic

    def bind_port(self, context: RequestContext | None, port_id: str, *, host: str, device_id: str,
                  project_id: str = '', hostname: str | None = None, zone: str = '', again: bool = False) -> Nic:
        """Bind a port."""
        with self._locked():
            port = self._port(None, port_id)
            nics.check_free(nics.port_of(port), device_id, project_id)
            port.update(device_id=device_id, device_owner=f'compute:{zone or "nova"}')
            if not self._bind(port, host):
                if not again:
                    self._free(port)
                raise _binding_failed(port, host)
            nic = self._nic(port)
        self._wired(port)
        return nic

    def unbind_port(self, context: RequestContext | None, port_id: str) -> None:
        """Free a port."""
        with self._locked():
            if port_id in self._ports:
                self._free(self._ports[port_id])

    def delete_port(self, context: RequestContext | None, port_id: str) -> None:
        """Delete a port."""
        with self._locked():
            self._ports.pop(port_id, None)

    def change_port(self, port_id: str, **values: Any) -> None:
        """Change a port as its owner would; ``fixed_ip`` gives it that address alone."""
        with self._lock:
            port = self._ports[port_id]
            if fixed_ip := values.pop('fixed_ip', None):
                values['fixed_ips'] = self._addresses(port['network_id'], fixed_ip)
            port.update(values)

    def change_network(self, network_id: str, **values: Any) -> None:
        """Change a network as its owner would."""
        with self._lock:
            self._networks[network_id].update(values)

    def nics_of(self, device_ids: Collection[str], soon: bool = False) -> dict[str, list[ServerPort]]:
        """Return the ports of servers."""
        with self._locked():
            self.asked.append(tuple(device_ids))
            ports = [_with_owner(port) for port in self._ports.values() if port['device_id'] in device_ids]
            return nics.by_server(list(device_ids), ports, self._networks, self._subnets)

    def ports_of(self, device_id: str) -> list[Port]:
        """Return a server's ports."""
        with self._locked():
            return [nics.port_of(_with_owner(port)) for port in self._ports.values() if port['device_id'] == device_id]

    def all_ports(self) -> list[Port]:
        """Return every port."""
        with self._locked():
            return [nics.port_of(_with_owner(port)) for port in self._ports.values()]

    def agent_hosts(self) -> list[str]:
        """Return the hosts of ``agents``."""
        with self._locked():
            return sorted(self.agents)

    def auto_network(self, context: RequestContext) -> str:
        """Return the project's automatic network."""
        with self._locked():
            for network in self._networks.values():
                if network['project_id'] == context.project_id and network['name'] == AUTO:
                    return str(network['id'])
            return self.add_network(project_id=context.project_id or '', name=AUTO)

    def port_status(self, context: RequestContext | None, port_id: str) -> str:
        """Return a port's status."""
        with self._locked():
            return str(self._port(context, port_id)['status'])

    def wiring_problem(self, port_id: str, host: str) -> str:
        """Return the problem of a port (``fail_port``), else those of ``agent_problems``."""
        with self._locked():
            problem = self._port(None, port_id)['binding:vif_details'].get('problem')
            return str(problem or '; '.join(self.agent_problems.get(host, ())))

    def fail_port(self, port_id: str, reason: str) -> None:
        """Have a port be one that its host's agent could not wire."""
        with self._locked():
            port = self._ports[port_id]
            port.update({'status': 'ERROR', 'binding:vif_details': {**port['binding:vif_details'], 'problem': reason}})

    def _locked(self) -> threading.RLock:
        if self._error is not None:
            raise self._error
        return self._lock

    def _wired(self, port: Json) -> None:
        if self._on_wired is not None and port['status'] == 'ACTIVE':
            self._on_wired(port['id'], port['device_id'])

    def _network(self, context: RequestContext | None, network_id: str) -> Json:
        found = self._networks.get(network_id)
        if found is None or not (found['shared'] or _sees(context, found)):
            raise exception.NotFound(f'Network {network_id} could not be found.', code='network_not_found')
        return found

    def _port(self, context: RequestContext | None, port_id: str) -> Json:
        found = self._ports.get(port_id)
        if found is None or not _sees(context, found):
            raise exception.NotFound(f'Port {port_id} could not be found.', code='port_not_found')
        return found

    def _default_group(self, project_id: str) -> str:
        for group in self._groups.values():
            if group['project_id'] == project_id and group['name'] == 'default':
                return str(group['id'])
        return self.add_group(project_id, 'default')

    def _make_port(self, network_id: str, project_id: str, fixed_ip: str | None, more: Json) -> Json:
        number = next(self._numbers)
        if sum(port['project_id'] == project_id for port in self._ports.values()) >= self.port_quota:
            raise exception.OverQuota("Quota exceeded for resources: ['port'].", details={'type': 'OverQuota'})
        port: Json = {
            'id': str(uuid.uuid4()), 'network_id': network_id, 'name': '', 'project_id': project_id, 'device_id': '',
            'device_owner': '', 'mac_address': f'fa:16:3e:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:'
                                               f'{number & 255:02x}',
            'fixed_ips': self._addresses(network_id, fixed_ip), 'security_groups': [self._default_group(project_id)],
            'status': 'DOWN', 'binding:host_id': '', 'binding:vif_type': 'unbound', 'binding:vif_details': {},
            'binding:vnic_type': 'normal', **more}
        self._ports[port['id']] = port
        return port

    def _addresses(self, network_id: str, fixed_ip: str | None) -> list[Json]:
        subnets = [self._subnets[key] for key in self._networks[network_id]['subnets']]
        taken = {ip['ip_address'] for port in self._ports.values() if port['network_id'] == network_id
                 for ip in port['fixed_ips']} | {subnet['gateway_ip'] for subnet in subnets}
        if fixed_ip:
            if fixed_ip in taken:
                raise exception.Conflict(f'IP address {fixed_ip} already allocated in network {network_id}.',
                                         code='ip_address_in_use')
            for subnet in subnets:
                if ipaddress.ip_address(fixed_ip) in ipaddress.ip_network(subnet['cidr']):
                    return [{'subnet_id': subnet['id'], 'ip_address': fixed_ip}]
            raise exception.Invalid(f'IP address {fixed_ip} is not a valid IP for any subnet of network {network_id}.',
                                    code='invalid_ip_for_network')
        found = []
        for version in (4, 6):  # one address of each family, as Neutron gives
            same = [subnet for subnet in subnets if subnet['ip_version'] == version]
            if same:
                found.append(self._free_address(network_id, same, taken))
        return found

    @staticmethod
    def _free_address(network_id: str, subnets: list[Json], taken: set[str]) -> Json:
        for subnet in subnets:
            for host in ipaddress.ip_network(subnet['cidr']).hosts():
                if str(host) not in taken:
                    return {'subnet_id': subnet['id'], 'ip_address': str(host)}
        raise exception.Conflict(f'No more IP addresses available on network {network_id}.',
                                 code='ip_address_generation_failure')

    def _bind(self, port: Json, host: str) -> bool:
        if host in self.broken_hosts:
            port.update({'binding:host_id': host, 'binding:vif_type': 'binding_failed'})
            return False
        port.update({'binding:host_id': host, 'binding:vif_type': 'bridge', 'status': 'ACTIVE',
                     'binding:vif_details': {'bridge_name': f'br{port["network_id"][:11]}', 'port_filter': True}})
        return True

    @staticmethod
    def _free(port: Json) -> None:
        port.update({'device_id': '', 'device_owner': '', 'binding:host_id': '', 'binding:vif_type': 'unbound',
                     'binding:vif_details': {}, 'status': 'DOWN'})

    def _nic(self, port: Json) -> Nic:
        return nics.nic_of(port, self._networks[port['network_id']], self._subnets,
                           owned=port.get('description') == MADE)


def _with_owner(port: Json) -> Json:
    return {**port, 'owned': port.get('description') == MADE}


def _sees(context: RequestContext | None, found: Json) -> bool:
    return context is None or bool(context.is_admin) or found['project_id'] == context.project_id


def _binding_failed(port: Json, host: str) -> exception.Retry:
    return exception.Retry(f'Port {port["id"]} cannot be bound to host {host}', code='port_binding_failed')
