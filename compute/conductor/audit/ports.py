"""Ports and servers agree: a port that is a server's has that server, and a server has its ports, on its host."""

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
        for row in servers.values():
            if row.operation_id is None and row.vm_state not in (states.BUILDING, states.ERROR):
                yield from self._of_server(row, ports)

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
        if any(row.uuid == server for row in look.read(lambda connection: ledger_audit.servers(connection, server))):
            return ''
        try:
            port = look.networks.port(None, port_id)
        except exception.NotFound:
            return ''
        if port.device_id != server:
            return ''
        made = port.created_at or finding.evidence['created_at']
        if made is not None and made + GRACE > now():
            raise exception.Conflict(f'port {port_id} was made less than {GRACE.seconds} s ago', code='too_young')
        if finding.evidence['owned']:
            look.networks.delete_port(None, port_id)
            return 'it was deleted'
        look.networks.unbind_port(None, port_id)
        return 'it was given back to its user'
