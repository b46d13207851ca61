"""What does not hold after a fault: the invariants of the ledger, looked at from outside and in words of our own.

Nothing of the product's queries is used here but the names of its tables, so that the product is not its own judge.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa

from tests.real.faults.bed import Bed

_POWER = {'active': (1,), 'stopped': (4, 6), 'paused': (3,), 'suspended': (4,), 'resized': (1, 4)}
"""Off is also a guest that died of itself, until it is stopped or started."""
_OPEN = ('queued', 'running', 'undoing')


def violations(cluster: Bed) -> list[str]:
    """Return everything that is wrong now; empty when a fault has healed."""
    return [*cluster.wrong(), *own(cluster)]


def own(cluster: Bed) -> list[str]:
    """Return what our own look finds."""
    servers = {row.uuid: row for row in _rows(cluster, 'SELECT * FROM instances WHERE NOT deleted')}
    moved = {uuid: row for uuid, row in _moved(cluster).items() if uuid in servers}
    return [*_operations(cluster), *_servers(servers), *_moves(servers, moved), *_usage(cluster, servers, moved),
            *_quotas(cluster, servers, moved), *_guests(cluster, servers), *_asides(cluster, moved),
            *_ports(cluster, servers)]


def _moved(cluster: Bed) -> dict[str, Any]:
    """Return the migrations that wait for a decision, by server. One that failed half done waits, too."""
    return {row.instance_uuid: row for row in _rows(
        cluster, "SELECT * FROM migrations WHERE status IN ('finished', 'confirming', 'reverting') ORDER BY id")}


def _moves(servers: dict[str, Any], moved: dict[str, Any]) -> list[str]:
    resized = {uuid for uuid, row in servers.items() if row.vm_state == 'resized'}
    return [f'server {servers[uuid].name} ({uuid}) is {servers[uuid].vm_state}, its migration '
            f'{moved[uuid].status if uuid in moved else "none"}' for uuid in sorted(resized ^ moved.keys())]


def _size(flavor: Any) -> tuple[int, int]:
    found = _json(flavor)
    return found['vcpus'], found['memory_mb']


def _rows(cluster: Bed, query: str, store: str = 'compute') -> list[Any]:
    return cluster.stores[store].read(lambda connection: list(connection.execute(sa.text(query))))


def _operations(cluster: Bed) -> list[str]:
    found = []
    for row in _rows(cluster, 'SELECT * FROM operations'):
        name = f'operation {row.id} ({row.kind} of {row.instance_uuid})'
        if row.state in _OPEN:
            found.append(f'{name} is {row.state} at {row.stage}, owner {row.owner}, until {row.lease_until}')
            continue
        if row.state not in ('done', 'failed', 'cancelled') or row.finished_at is None or row.lease_until is not None:
            found.append(f'{name} did not end properly: {row.state}, {row.finished_at}, {row.lease_until}')
        if row.finished_at and row.finished_at > row.deadline_at > row.created_at:
            found.append(f'{name} ended after its deadline')
        error = _json(row.error)
        if row.state == 'failed' and not (error and error.get('code') and error.get('message')):
            found.append(f'{name} failed without a reason: {error}')
        if 'admin_pass' in (_json(row.args) or {}):
            found.append(f'{name} still has a password')
    found += [f'a stage of operation {row.operation_id} is open: {row.name}' for row in _rows(
        cluster, 'SELECT e.* FROM operation_events e JOIN operations o ON o.id = e.operation_id '
                 f'WHERE e.finished_at IS NULL AND o.state NOT IN {_OPEN}')]
    return found


def _servers(servers: dict[str, Any]) -> list[str]:
    found = []
    for row in servers.values():
        name = f'server {row.name} ({row.uuid})'
        if row.vm_state not in (*_POWER, 'error') or row.task_state is not None or row.operation_id:
            found.append(f'{name} is {row.vm_state}/{row.task_state}, operation {row.operation_id}')
        if row.vm_state == 'error' and not (_json(row.fault) or {}).get('message'):
            found.append(f'{name} is in error and says not why')
        if row.vm_state in _POWER and (row.host is None or row.power_state not in _POWER[row.vm_state]):
            found.append(f'{name} is {row.vm_state} on {row.host} with power_state {row.power_state}')
    return found


def _usage(cluster: Bed, servers: dict[str, Any], moved: dict[str, Any]) -> list[str]:
    found = []
    for host in _rows(cluster, 'SELECT * FROM hosts'):
        here = [row for row in servers.values() if row.host == host.host]
        sizes = [(row.vcpus, row.memory_mb) for row in here] + [
            _size(row.old_flavor) for row in moved.values() if row.source_host == host.host]
        used = (host.running_vms, host.vcpus_used, host.memory_mb_used)
        real = (len(here), sum(vcpus for vcpus, _ in sizes), sum(memory for _, memory in sizes))
        if used != real:
            found.append(f'host {host.host} records (servers, vcpus, memory) {used}, its servers need {real}')
    claims = sorted(row.instance_uuid for row in _rows(cluster, 'SELECT instance_uuid FROM claims'))
    placed = sorted([*(row.uuid for row in servers.values() if row.host), *moved])
    if claims != placed:
        found.append(f'claims of {_difference(claims, placed)} do not match servers on hosts')
    return found


def _quotas(cluster: Bed, servers: dict[str, Any], moved: dict[str, Any]) -> list[str]:
    found = []

    def charged(server: Any) -> tuple[int, ...]:
        sizes = [(server.vcpus, server.memory_mb)]
        if server.uuid in moved:
            sizes += [_size(moved[server.uuid].old_flavor), _size(moved[server.uuid].new_flavor)]
        return tuple(max(each) for each in zip(*sizes, strict=True))
    for row in _rows(cluster, 'SELECT * FROM usages'):
        theirs = [each for each in servers.values() if each.project_id == row.project_id]
        used = (row.instances, row.cores, row.ram)
        sums = [charged(each) for each in theirs]
        real = (len(theirs), sum(cores for cores, _ in sums), sum(ram for _, ram in sums))
        if used != real:
            found.append(f'project {row.project_id} is charged {used}, its servers are {real}')
    return found


def _guests(cluster: Bed, servers: dict[str, Any]) -> list[str]:
    found = []
    guests = cluster.powers()
    for uuid in {*guests, *servers}:
        row = servers.get(uuid)
        real = sorted(guests.get(uuid, []))
        wanted = [(row.host, row.power_state)] if row is not None and row.vm_state in _POWER else []
        if real != wanted:
            name = row.name if row is not None else 'nobody'
            found.append(f'guest of {name} ({uuid}): (host, power) {real}, should be {wanted}')
    return found


def _asides(cluster: Bed, moved: dict[str, Any]) -> list[str]:
    wanted = sorted((row.source_host, uuid) for uuid, row in moved.items())
    found = cluster.asides()
    return [f'the guest of {uuid} is set aside on {host}, and no move waits' for host, uuid in found
            if (host, uuid) not in wanted] + [
        f'nothing of {uuid} is set aside on {host}, and its move waits' for host, uuid in wanted
        if (host, uuid) not in found and moved[uuid].status == 'finished']


def _ports(cluster: Bed, servers: dict[str, Any]) -> list[str]:
    found = []
    ports = {row.id: row for row in _rows(cluster, 'SELECT * FROM ports', 'network')
             if row.device_owner.startswith('compute:')}
    named: set[str] = set()
    for row in servers.values():
        for nic in _json(row.nics) or ():
            named.add(nic['port_id'])
            port = ports.get(nic['port_id'])
            if port is None or (port.device_id, port.host, port.status) != (row.uuid, row.host, 'ACTIVE'):
                told = None if port is None else (port.device_id, port.host, port.status)
                found.append(f'port {nic["port_id"]} of server {row.name} ({row.uuid} on {row.host}) is {told}')
    found += [f'port {port.id} of {port.device_id} on {port.host} belongs to no server'
              for port in ports.values() if port.id not in named]
    used = _rows(cluster, 'SELECT COUNT(*) AS count FROM network_addresses a LEFT JOIN ports p ON p.id = a.port_id '
                          'WHERE p.id IS NULL', 'network')
    if used[0].count:
        found.append(f'{used[0].count} addresses belong to no port')
    return found


def _difference(one: list[str], other: list[str]) -> str:
    return ', '.join(sorted({*one} ^ {*other})) or 'some server twice'


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, (str, bytes)) and value else value
