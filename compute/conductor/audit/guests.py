"""Guests and ledger agree: each server has its guest, on its host and nowhere else, and each guest has its server.

A guest that no server explains is reported and left alone: it may be somebody's only copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from compute import states
from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.look import Look
from compute.db import ledger_audit
from compute.objects.finding import Finding
from compute.objects.residue import FoundGuest

_BY_HAND = 'look into it on that host, and remove it by hand if nobody needs it'
# Before a server ran once, and in ERROR, there need not be a guest.
_WITHOUT = (states.BUILDING, states.ERROR, states.DELETED)


class Guests(Check):
    """Asks every host what it has; hosts that do not answer prove nothing."""

    name = 'guests'
    needs = frozenset({'hosts'})
    rules = {
        'guest_unknown': Rule('A guest is on a host and there is no such server', _BY_HAND, fixable=False),
        'guest_elsewhere': Rule('A guest is on a host that is not its server\'s', _BY_HAND, fixable=False),
        'guest_twice': Rule('The guest of one server is on several hosts',
                            'stop the one that is not on the server\'s host before both write to the same disk',
                            fixable=False),
        'guest_missing': Rule('A server has no guest on its host',
                              'see the log of its worker and of the hypervisor; delete the server if the guest is lost',
                              fixable=False),
        'disk_unknown': Rule('Files of a guest are on a host where that server is not', _BY_HAND, fixable=False),
        'aside_unknown': Rule('A host keeps files for the reversal of a move that does not wait for it', _BY_HAND,
                              fixable=False),
        'aside_missing': Rule('A server waits for the confirmation of a move, and its old host has nothing of it',
                              'confirm the move: it cannot be reverted', fixable=False),
    }

    def find(self, look: Look) -> Iterable[Finding]:
        servers = {row.uuid: row for row in look.read(ledger_audit.servers)}
        places: dict[str, dict[str, FoundGuest]] = defaultdict(dict)
        for host, residue in look.residue.items():
            for guest in residue.guests:
                places[guest.uuid][host] = guest
        for uuid, found in places.items():
            yield from self._placed(uuid, found, servers.get(uuid))
        for row in servers.values():
            if _has_guest(row) and row.host in look.residue and row.host not in places.get(row.uuid, {}):
                yield self.finding(
                    'guest_missing', f'server {row.uuid} is {row.vm_state} and has no guest on host {row.host}',
                    about={'server': row.uuid, 'host': row.host}, vm_state=row.vm_state, power_state=row.power_state,
                    updated_at=row.updated_at, elsewhere=sorted(places.get(row.uuid, {})))
        for host, residue in look.residue.items():
            for uuid in residue.stored:
                server = servers.get(uuid)
                if host not in places.get(uuid, {}) and not _busy(server) and (server is None or server.host != host):
                    yield self.finding('disk_unknown', f'files of a guest {uuid} are on host {host}, where no such '
                                       'server is', about={'guest': uuid, 'host': host},
                                       server_host=server.host if server is not None else None)

        yield from self._aside(look, servers)

    def _aside(self, look: Look, servers: dict[str, Any]) -> Iterator[Finding]:
        expected = look.read(ledger_audit.sources_of_moves)
        kept = {(uuid, host) for host, residue in look.residue.items() for uuid in residue.aside}
        for uuid, host in sorted(kept - expected):
            if not _busy(server := servers.get(uuid)):
                yield self.finding('aside_unknown', f'files of guest {uuid} are set aside on host {host}, and no move '
                                   'from there waits for a decision', about={'guest': uuid, 'host': host},
                                   server_host=server.host if server is not None else None)
        for uuid, host in sorted(expected - kept):
            if host in look.residue and uuid in servers and not _busy(servers[uuid]):
                yield self.finding('aside_missing', f'server {uuid} waits for the confirmation of its move, and '
                                   f'nothing of it is set aside on its old host {host}',
                                   about={'server': uuid, 'host': host}, server_host=servers[uuid].host)

    def _placed(self, uuid: str, found: dict[str, FoundGuest], server: Any) -> Iterator[Finding]:
        if _busy(server):
            return
        if len(found) > 1:
            yield self.finding(
                'guest_twice', f'guest {uuid} is on hosts {", ".join(sorted(found))}', about={'server': uuid},
                steady=sorted(found), server_host=server.host if server is not None else None,
                power_states={host: guest.power_state for host, guest in found.items()})
        for host, guest in found.items():
            if server is not None and server.host == host:
                continue
            code, why = (('guest_unknown', 'there is no such server') if server is None else
                         ('guest_elsewhere', f'the server\'s host is {server.host or "none"}'))
            yield self.finding(
                code, f'guest {guest.name} ({uuid}) is on host {host} and {why}', about={'guest': uuid, 'host': host},
                guest_name=guest.name, power_state=guest.power_state,
                server_host=server.host if server is not None else None)


def _busy(server: Any) -> bool:
    return server is not None and (server.operation_id is not None or server.task_state is not None)


def _has_guest(server: Any) -> bool:
    return not _busy(server) and server.host is not None and server.vm_state not in _WITHOUT
