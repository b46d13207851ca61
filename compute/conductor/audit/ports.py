"""Ports and servers agree: a port that is a server's has that server, and a server has its ports, on its host.

A port that Compute made and that is no NIC of its server is what a request left whose sender was replaced, or did not
wait for the answer. It keeps an address that nobody can use. A server that is being changed may be about to get it, so
only ports of servers with which nothing goes on are judged.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Any

from compute import exception, states
from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.db import ledger_audit
from compute.objects.finding import Finding
from compute.objects.network import Port
from compute.objects.value import now

GRACE = datetime.timedelta(seconds=60)


class Ports(Check):
    """The Network service is another store: what is under way differs, what is left over stays different."""

    name = 'ports'
    needs = frozenset({'network'})
    rules = {
        'port_without_server': Rule('A port belongs to a server that does not exist',
                                    'delete it if Compute made it, else give it back to its user, once it is a minute '
                                    'old'),
        'port_surplus': Rule('Compute made a port for a server that does not have it',
                             'delete it once it is a minute old'),
        'port_missing': Rule('A port that a server has is gone, or is another\'s',
                             'the port refresh drops it from the server; otherwise see the log of the conductors',
                             fixable=False),
        'port_elsewhere': Rule('A port of a server is bound to a host that is not the server\'s',
                               'reboot the server hard, which binds its ports again', fixable=False),
    }

    def find(self, look: Look) -> Iterable[Finding]:
        ports = look.ports
        servers = {row.uuid: row for row in look.read(ledger_audit.servers)}
        for port in ports.values():
            # Any user may write any device into a port; only Compute binds one to a host.
            if port.of_server and port.host and port.device_id not in servers:
                yield self.finding(
                    'port_without_server', f'port {port.id} belongs to server {port.device_id}, which does not exist',
                    about={'port': port.id, 'server': port.device_id, 'host': port.host or None}, owned=port.owned,
                    status=port.status, created_at=port.created_at, network_id=port.network_id,
                    project_id=port.project_id)
        for row in filter(_is_idle, servers.values()):
            yield from self._of_server(row, ports)
        for port in ports.values():
            row = servers.get(port.device_id)
            if row is not None and _is_surplus(port, row):
                yield self.finding(
                    'port_surplus', f'port {port.id} on host {port.host} was made for server {row.uuid} and is none of '
                    'its NICs', about={'port': port.id, 'server': row.uuid, 'host': port.host}, status=port.status,
                    created_at=port.created_at, network_id=port.network_id, vm_state=row.vm_state,
                    updated_at=row.updated_at)

    def _of_server(self, row: Any, ports: dict[str, Port]) -> Iterator[Finding]:
        for nic in row.nics:
            port = ports.get(nic['port_id'])
            if port is None or port.device_id != row.uuid:
                yield self.finding(
                    'port_missing', f'server {row.uuid} has port {nic["port_id"]}, which '
                    + ('does not exist' if port is None else f'belongs to {port.device_id or "nobody"}'),
                    about={'server': row.uuid, 'port': nic['port_id'], 'host': row.host}, vm_state=row.vm_state,
                    updated_at=row.updated_at, device_id=port.device_id if port is not None else None)
            elif port.host != row.host:
                yield self.finding(
                    'port_elsewhere', f'port {port.id} of server {row.uuid} is bound to host {port.host or "none"}, '
                    f'the server is on {row.host}', about={'server': row.uuid, 'port': port.id, 'host': row.host},
                    port_host=port.host, vm_state=row.vm_state, updated_at=row.updated_at)

    def fix(self, look: Look, finding: Finding) -> str:
        server, port_id = finding.about['server'], finding.about['port']
        if finding.code == 'port_surplus':
            return self._delete_surplus(look, server, port_id)
        if _server(look, server) is not None:
            return ''
        try:
            port = look.networks.port(None, port_id)
        except exception.NotFound:
            return ''
        if port.device_id != server:
            return ''
        _check_age(port, finding.evidence['created_at'])
        if finding.evidence['owned']:
            look.networks.delete_port(None, port_id)
            return 'it was deleted'
        look.networks.unbind_port(None, port_id)
        return 'it was given back to its user'

    @staticmethod
    def _delete_surplus(look: Look, server: str, port_id: str) -> str:
        port = next((each for each in look.networks.ports_of(server) if each.id == port_id), None)
        row = _server(look, server)
        if port is None or row is None or not _is_surplus(port, row):
            return ''
        _check_age(port)
        look.networks.delete_port(None, port_id)
        return 'it was deleted'


def _server(look: Look, uuid: str) -> Any:
    found = look.read(lambda connection: ledger_audit.servers(connection, uuid))
    return next((row for row in found if row.uuid == uuid), None)


def _is_idle(row: Any) -> bool:
    return row.operation_id is None and row.vm_state not in (states.BUILDING, states.ERROR)


def _is_surplus(port: Port, row: Any) -> bool:
    return (port.owned and bool(port.host) and _is_idle(row)
            and all(nic['port_id'] != port.id for nic in row.nics))


def _check_age(port: Port, listed: datetime.datetime | None = None) -> None:
    """Return if a port is old enough. :raises Conflict: whoever made it may still be about to report it."""
    made = port.created_at or listed
    if made is not None and made + GRACE > now():
        raise exception.Conflict(f'port {port.id} was made less than {GRACE.seconds} s ago', code='too_young')
