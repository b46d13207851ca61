"""Wires and ports agree: what the built-in network made on a host is for ports bound there, and those are wired."""

from __future__ import annotations

from collections.abc import Iterable

from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.objects.finding import Finding

_HEALS = 'the agent does it at its next [network_agent] resync_interval; see its log if it does not'


class Wires(Check):
    """Asks the agents of the built-in network; there is nothing to ask where another network is used."""

    name = 'wires'
    needs = frozenset({'network', 'hosts'})
    rules = {
        'wire_unknown': Rule('A wire on a host is for a port that is not bound there', _HEALS, fixable=False),
        'wire_missing': Rule('A port is up on a host and has no wire there', _HEALS, fixable=False),
    }

    def find(self, look: Look) -> Iterable[Finding]:
        ports = look.ports  # before the wires: a port is up after it was wired
        for host, wires in look.wires.items():
            wired = {wire.port_id: wire for wire in wires}
            for port_id, wire in wired.items():
                port = ports.get(port_id)
                if port is None or port.host != host:
                    where = 'does not exist' if port is None else f'is bound to host {port.host or "none"}'
                    yield self.finding('wire_unknown', f'host {host} has a wire for port {port_id}, which {where}',
                                       about={'host': host, 'port': port_id}, network_id=wire.network_id,
                                       port_host=port.host if port is not None else None)
            for port in ports.values():
                if port.host == host and port.status == 'ACTIVE' and port.id not in wired:
                    yield self.finding('wire_missing', f'port {port.id} is up on host {host} and has no wire there',
                                       about={'host': host, 'port': port.id, 'server': port.device_id or None},
                                       network_id=port.network_id, status=port.status)
