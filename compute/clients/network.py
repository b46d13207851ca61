"""The Network service (Neutron v2.0, built-in or real) as the core sees it.

A server's ports are made, or taken if they exist, by binding them to the server's host; the answer says how the host
plugs them. A port that this client makes carries ``MADE`` as its description where the service has descriptions: so
that after a crash it is known which ports go with their server and which belong to a user.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from oslo_config import cfg

from compute import exception
from compute.clients import nics
from compute.clients.recent import Recent
from compute.clients.session import Neighbour
from compute.context import RequestContext
from compute.objects.network import Network, Port, SecurityGroup, ServerPort
from compute.objects.nic import Nic, Subnet

MADE = 'Made by Compute for a server'
UNPLUGGABLE = ('binding_failed', 'unbound', '')
_EXTENSIONS_AGE = 300.0
_BATCH = 50
_LISTINGS = 5
_NEAR = 2.0
_SOON = 5.0
_OF_NETWORK = ('id', 'name', 'mtu')
_OF_SUBNET = ('id', 'cidr', 'ip_version', 'gateway_ip', 'dns_nameservers', 'host_routes', 'enable_dhcp',
              'ipv6_address_mode')
_OF_PORT = ('id', 'network_id', 'project_id', 'tenant_id', 'device_id', 'device_owner', 'description',
            'binding:host_id', 'created_at')
AGENT = 'compute-network-agent'
Json = dict[str, Any]


class Networks(Protocol):
    """Every method may block. ``context`` None means the service user.

    What concerns the ports of a server (binding, freeing, deleting and listing them) is always done as the service
    user: only it may bind, and only it is told how a port is bound. Whether the caller may is decided before.

    :raises NotFound: no such network or port, or not for this caller. :raises Unavailable: the service does not answer.
    """

    def networks(self, context: RequestContext) -> list[Network]:
        """Return the networks that the caller's project may use: its own and the shared ones."""

    def network(self, context: RequestContext | None, network_id: str) -> Network:
        """Return a network."""

    def port(self, context: RequestContext | None, port_id: str, soon: bool = False) -> Port:
        """Return a port. ``soon``: within seconds or not."""

    def subnets(self, context: RequestContext, network_id: str) -> list[Subnet]:
        """Return the subnets of a network that are visible to the caller."""

    def holder(self, network_id: str, address: str) -> Port | None:
        """Return the port, of whatever project, that has an address of a network; None while the address is free."""

    def security_groups(self, context: RequestContext) -> list[SecurityGroup]:
        """Return the groups of the caller's project."""

    def groups_by_id(self, ids: Collection[str], soon: bool = False) -> list[SecurityGroup]:
        """Return groups of whatever project; those that are not there are left out. ``soon``: within seconds or not."""

    def create_port(self, context: RequestContext | None, network_id: str, *, project_id: str, device_id: str,
                    fixed_ip: str | None = None, mac: str | None = None, security_groups: Sequence[str] = (),
                    name: str = '', host: str | None = None, hostname: str | None = None, zone: str = '') -> Nic:
        """Make a port for a server and, with ``host``, bind it there.

        ``security_groups`` are ids; none means the project's default group.
        :raises OverQuota: no more ports. :raises Conflict: no address is free, or the one asked for is taken.
        :raises Retry: the host cannot bind it; the port is gone again.
        """

    def bind_port(self, context: RequestContext | None, port_id: str, *, host: str, device_id: str,
                  project_id: str = '', hostname: str | None = None, zone: str = '', again: bool = False) -> Nic:
        """Give an existing port to a server and bind it to its host; the same again changes nothing.

        :raises Conflict: another server has it. :raises Forbidden: it belongs to another project.
        :raises Retry: the host cannot bind it; the port is free again, or with ``again`` still the server's.
        """

    def unbind_port(self, context: RequestContext | None, port_id: str) -> None:
        """Free a port from its server and host. One that is gone is no error."""

    def delete_port(self, context: RequestContext | None, port_id: str) -> None:
        """Delete a port. One that is gone is no error."""

    def nics_of(self, device_ids: Collection[str], soon: bool = False) -> dict[str, list[ServerPort]]:
        """Return the ports that name these servers as their device, completely filled, with one query for many servers.

        The oldest port comes first. A server without ports has an empty list. A server whose networks changed while
        they were read is missing. Any project may write the id of any server into its ports: ``clients.ports`` tells
        which of them count. ``soon``: each request within seconds or not.
        """

    def ports_of(self, device_id: str) -> list[Port]:
        """Return the same ports of one server, in the same order, with ids, project, device, host and ``owned``."""

    def all_ports(self) -> list[Port]:
        """Return every port of every project, ``owned`` and ``host`` filled in; what is made meanwhile may be missing.

        :raises Conflict: so much changed meanwhile that the list could not be read to its end.
        """

    def agent_hosts(self) -> list[str]:
        """Return the hosts with a living agent of the built-in network; none where another network is used."""

    def auto_network(self, context: RequestContext) -> str:
        """Return the id of the project's automatic network, which comes into being now if it must.

        :raises NotFound: the service has no such feature. :raises Conflict, Invalid: it cannot make one here.
        """

    def port_status(self, context: RequestContext | None, port_id: str) -> str:
        """Return ``ACTIVE`` when the port is wired, else ``DOWN``, ``BUILD`` or ``ERROR``."""

    def wiring_problem(self, port_id: str, host: str) -> str:
        """Return why a port is not wired on its host, as its agent reported: of the port, else of the whole host.

        Empty when nothing was reported, and where another network is used.
        """


class RestNetworks:
    """Over HTTP."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._service = Neighbour(conf, 'network', '/v2.0')
        self._near = Recent(_NEAR)
        self._extensions: frozenset[str] = frozenset()
        self._extensions_until = 0.0

    def networks(self, context: RequestContext) -> list[Network]:
        """Return the project's own and the shared networks."""
        found: dict[str, Json] = {}
        for query in ({'project_id': context.project_id}, {'shared': 'True'}):
            found.update((item['id'], item) for item in self._list('networks', context, query))
        return [nics.network_of(item) for item in found.values()]

    def network(self, context: RequestContext | None, network_id: str) -> Network:
        """Return a network."""
        return nics.network_of(self._get('network', network_id, context))

    def port(self, context: RequestContext | None, port_id: str, soon: bool = False) -> Port:
        """Return a port."""
        return nics.port_of(self._get('port', port_id, context, **_bounds(soon)))

    def subnets(self, context: RequestContext, network_id: str) -> list[Subnet]:
        """Return the subnets of a network."""
        found = self._list('subnets', context, {'network_id': network_id, 'fields': _OF_SUBNET})
        return [nics.subnet_of(item) for item in found]

    def holder(self, network_id: str, address: str) -> Port | None:
        """Return the port that has an address."""
        found = self._list('ports', None, {'network_id': network_id, 'fixed_ips': f'ip_address={address}',
                                           'fields': _OF_PORT}, service=True)
        return nics.port_of(found[0]) if found else None

    def security_groups(self, context: RequestContext) -> list[SecurityGroup]:
        """Return the project's groups."""
        found = self._list('security-groups', context, {'project_id': context.project_id})
        return [nics.security_group_of(item) for item in found]

    def groups_by_id(self, ids: Collection[str], soon: bool = False) -> list[SecurityGroup]:
        """Return groups by id."""
        found = self._by_id('security-groups', ids, **_bounds(soon))
        return [nics.security_group_of(item) for item in found.values()]

    def create_port(self, context: RequestContext | None, network_id: str, *, project_id: str, device_id: str,
                    fixed_ip: str | None = None, mac: str | None = None, security_groups: Sequence[str] = (),
                    name: str = '', host: str | None = None, hostname: str | None = None, zone: str = '') -> Nic:
        """Make a port and bind it."""
        wanted: Json = {'network_id': network_id, 'project_id': project_id, 'admin_state_up': True, 'name': name,
                        **self._use(context, device_id, host, hostname, zone)}
        if fixed_ip:
            wanted['fixed_ips'] = [{'ip_address': fixed_ip}]
        if mac:
            wanted['mac_address'] = mac
        if security_groups:
            wanted['security_groups'] = list(security_groups)
        if self._has(context, 'standard-attr-description'):
            wanted['description'] = MADE
        # Only the service user may say which host; whether the project may use the network was asked before.
        port = self._service.json('POST', '/ports', context=context, service=bool(host), json={'port': wanted})['port']
        if host and not _pluggable(port):
            self.delete_port(context, port['id'])
            raise _binding_failed(port, host)
        return self._nic(port, owned=True)

    def bind_port(self, context: RequestContext | None, port_id: str, *, host: str, device_id: str,
                  project_id: str = '', hostname: str | None = None, zone: str = '', again: bool = False) -> Nic:
        """Bind a port."""
        port = self._get('port', port_id, None)
        nics.check_free(nics.port_of(port), device_id, project_id)
        wanted = self._use(context, device_id, host, hostname, zone)
        port = self._update(context, port_id, wanted)
        if not _pluggable(port):
            if not again:
                self.unbind_port(context, port_id)
            raise _binding_failed(port, host)
        return self._nic(port, owned=port.get('description') == MADE)

    def unbind_port(self, context: RequestContext | None, port_id: str) -> None:
        """Free a port."""
        values: Json = {'device_id': '', 'device_owner': '', 'binding:host_id': None}
        if self._has(context, 'dns-integration'):
            values['dns_name'] = ''
        try:
            self._update(context, port_id, values)
        except exception.NotFound:
            return

    def delete_port(self, context: RequestContext | None, port_id: str) -> None:
        """Delete a port."""
        try:
            self._service.request('DELETE', f'/ports/{_safe(port_id)}', context=context, service=True)
        except exception.NotFound:
            return

    def nics_of(self, device_ids: Collection[str], soon: bool = False) -> dict[str, list[ServerPort]]:
        """Return the ports of servers."""
        wanted, bounds = list(dict.fromkeys(device_ids)), _bounds(soon)
        ports = [port for start in range(0, len(wanted), _BATCH)
                 for port in self._ports(wanted[start:start + _BATCH], **bounds)]
        networks = self._by_id('networks', (port['network_id'] for port in ports), fields=_OF_NETWORK, **bounds)
        subnets = self._by_id('subnets', (ip['subnet_id'] for port in ports for ip in port.get('fixed_ips') or ()),
                              fields=_OF_SUBNET, **bounds)
        return nics.by_server(wanted, [_with_owner(port) for port in ports], networks, subnets)

    def ports_of(self, device_id: str) -> list[Port]:
        """Return a server's ports."""
        return [nics.port_of(port) for port in map(_with_owner, self._ports([device_id], fields=_OF_PORT))]

    def all_ports(self) -> list[Port]:
        """Return every port."""
        return [nics.port_of(_with_owner(port)) for port in self._all_ports({})]

    def agent_hosts(self) -> list[str]:
        """Return the hosts with a living agent of the built-in network."""
        found = self._list('agents', None, {'binary': AGENT, 'alive': 'True'}, service=True)
        return sorted(item['host'] for item in found)

    def auto_network(self, context: RequestContext) -> str:
        """Return the project's automatic network."""
        path = f'/auto-allocated-topology/{_safe(context.project_id or "")}'
        answer = self._service.json('GET', path, context=context)
        return str(answer['auto_allocated_topology']['id'])

    def port_status(self, context: RequestContext | None, port_id: str) -> str:
        """Return a port's status."""
        return str(self._get('port', port_id, context, fields=('id', 'status'))['status'])

    def wiring_problem(self, port_id: str, host: str) -> str:
        """Return what the agent of the host reported."""
        port = self._get('port', port_id, None)
        if problem := _problem(port):
            return problem
        agents = self._list('agents', None, {'binary': AGENT, 'host': host}, service=True)
        problems = [str(problem) for agent in agents for problem in agent.get('configurations', {}).get('problems', ())]
        return '; '.join(problems[:3])

    def _ports(self, device_ids: Sequence[str], fields: Sequence[str] = (), **options: Any) -> list[Json]:
        # Only the service user is told how a port is bound.
        only: Json = {'fields': fields} if fields else {}
        ports = self._all_ports({'device_id': device_ids, **only}, **options)
        return sorted(ports, key=lambda port: (port.get('created_at') or '', port['id']))

    def _all_ports(self, query: Json, **options: Any) -> list[Json]:
        for _ in range(_LISTINGS):
            try:
                return list(self._pages('ports', query, **options))
            except exception.NotFound:
                continue  # the last port of a page was deleted, so the next page has no marker
        raise exception.Conflict('The list of ports changes faster than it can be read', code='list_changed')

    def _use(self, context: RequestContext | None, device_id: str, host: str | None, hostname: str | None,
             zone: str) -> Json:
        wanted: Json = {'device_id': device_id, 'device_owner': f'compute:{zone or "nova"}'}
        if host:
            wanted['binding:host_id'] = host
        if hostname and self._has(context, 'dns-integration'):
            wanted['dns_name'] = hostname
        return wanted

    def _nic(self, port: Json, *, owned: bool) -> Nic:
        """Return a port that was bound just now. Many are on the same network, which was looked at a moment ago."""
        network_id = port['network_id']
        wanted = tuple(dict.fromkeys(ip['subnet_id'] for ip in port.get('fixed_ips') or ()))
        networks = self._near.get(None, network_id, lambda: self._by_id(
            'networks', [network_id], fields=_OF_NETWORK))
        subnets = self._near.get(None, wanted, lambda: self._by_id('subnets', wanted, fields=_OF_SUBNET),
                                 lambda found: len(found) == len(wanted))
        return nics.nic_of(port, networks.get(network_id, {}), subnets, owned=owned)

    def _by_id(self, collection: str, ids: Iterable[str], *, fields: Sequence[str] = (),
               **options: Any) -> dict[str, Json]:
        wanted = list(dict.fromkeys(ids))
        only: Json = {'fields': fields} if fields else {}
        found: dict[str, Json] = {}
        for start in range(0, len(wanted), _BATCH):
            for item in self._pages(collection, {'id': wanted[start:start + _BATCH], **only}, **options):
                found[item['id']] = item
        return found

    def _list(self, collection: str, context: RequestContext | None, query: Json, *,
              service: bool = False, **options: Any) -> list[Json]:
        key = collection.replace('-', '_')
        found: list[Json] = self._service.json('GET', f'/{collection}', context=context, service=service,
                                               params=query, **options)[key]
        return found

    def _pages(self, collection: str, query: Json, **options: Any) -> Iterator[Json]:
        """Yield all results of a query, page by page. :raises NotFound: the last item of a page was deleted."""
        query, key = {**query, 'sort_key': 'id'}, collection.replace('-', '_')
        while True:
            answer = self._service.json('GET', f'/{collection}', context=None, service=True, params=query, **options)
            yield from answer[key]
            if not any(link.get('rel') == 'next' for link in answer.get(f'{key}_links') or ()):
                return
            query['marker'] = answer[key][-1]['id']

    def _get(self, kind: str, item_id: str, context: RequestContext | None, fields: Sequence[str] = (),
             **options: Any) -> Json:
        params = {'fields': fields} if fields else {}
        try:
            found: Json = self._service.json('GET', f'/{kind}s/{_safe(item_id)}', context=context, params=params,
                                             **options)[kind]
        except exception.NotFound as error:
            raise exception.NotFound(f'{kind.capitalize()} {item_id} could not be found.',
                                     code=f'{kind}_not_found') from error
        return found

    def _update(self, context: RequestContext | None, port_id: str, values: Json) -> Json:
        found: Json = self._service.json('PUT', f'/ports/{_safe(port_id)}', context=context, service=True,
                                         json={'port': values})['port']
        return found

    def _has(self, context: RequestContext | None, alias: str) -> bool:
        if time.monotonic() >= self._extensions_until:
            found = self._list('extensions', context, {}, service=True)
            self._extensions = frozenset(item['alias'] for item in found)
            self._extensions_until = time.monotonic() + _EXTENSIONS_AGE
        return alias in self._extensions


def _bounds(soon: bool) -> Json:
    """Return the options of a request that must not wait long for a silent service."""
    return {'once': True, 'timeout': _SOON} if soon else {}


def _with_owner(port: Json) -> Json:
    return {**port, 'owned': port.get('description') == MADE}


def _pluggable(port: Json) -> bool:
    return (port.get('binding:vif_type') or '') not in UNPLUGGABLE


def _binding_failed(port: Json, host: str) -> exception.Retry:
    return exception.Retry(f'Port {port["id"]} cannot be bound to host {host} (binding:vif_type is '
                           f'{port.get("binding:vif_type")!r}){_because(port)}', code='port_binding_failed',
                           hint=f'see whether the network agent of {host} lives')


def _problem(port: Json) -> str:
    return str((port.get('binding:vif_details') or {}).get('problem') or '')


def _because(port: Json) -> str:
    return f': {problem}' if (problem := _problem(port)) else ''


def _safe(item_id: str) -> str:
    """:raises NotFound: what cannot be an id must not become a part of a URL."""
    if not item_id or not all(char.isalnum() or char in '-_.' for char in item_id) or item_id.strip('.') == '':
        raise exception.NotFound(f'{item_id!r} is no id of a network, port or group')
    return item_id
