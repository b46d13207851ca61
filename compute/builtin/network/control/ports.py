"""Ports: create, change, delete, and what agents say of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import addresses, addressing, binding, events, port_checks, projects
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP, NETWORK, PORT, Clause
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Stale
from compute.objects.value import now

ACTIVE, DOWN, ERROR = 'ACTIVE', 'DOWN', 'ERROR'
_MAC_ATTEMPTS = 16
_UP = sa.select(t.networks.c.admin_state_up).where(t.networks.c.id == t.ports.c.network_id).scalar_subquery()
_REPORTED = sa.select(t.ports, _UP.label('network_up')).where(
    t.ports.c.id.in_(sa.bindparam('ports', expanding=True))).order_by(t.ports.c.id).with_for_update()
_PUT = t.ports.update().where(t.ports.c.id.in_(sa.bindparam('ports', expanding=True))).values(
    status=sa.bindparam('new'), updated_at=sa.bindparam('moment'), revision_number=t.ports.c.revision_number + 1)
_GROUPS_OF = sa.select(t.port_groups.c.group_id).where(t.port_groups.c.port_id == sa.bindparam('port'))
_WIRED = ('mac_address', 'admin_state_up', 'device_id', 'port_security_enabled', 'allowed_address_pairs', 'dns_name')


@dataclass(frozen=True)
class Made:
    """A new port with its addresses, in their order, and its groups."""

    port: Row
    addresses: Sequence[Row]
    groups: Sequence[str]


def create(work: Work, network: Row, attributes: Mapping[str, Any], groups_scope: Clause) -> Made:
    """Make a port with MAC, addresses, groups and binding. ``groups_scope`` limits which groups it may be in.

    :raises NotFound: network, subnet or group.
    :raises Conflict: quota, no address is free, the MAC or the address is taken.
    """
    project_id = attributes['project_id']
    project = projects.charge(work, project_id, 'port')
    values = {'device_id': '', 'host': '', 'vnic_type': 'normal', 'allowed_address_pairs': [], **_stored(attributes),
              'port_security_enabled': port_checks.has_security(network, attributes)}
    values = {**values, 'status': DOWN, **binding.decide(work, values)}
    asked = attributes.get('security_groups')
    if asked is not None:
        groups = _groups(work, asked, groups_scope)
    else:
        groups = [projects.default_group(work, project_id, project)] if values['port_security_enabled'] else []
    port_checks.demand_security(values, groups, attributes)
    port = _insert(work, network, values, values.get('mac_address'))
    held = addresses.assign(work, port, attributes.get('fixed_ips'))
    port_checks.demand_pairs_add(port, held)
    _add_groups(work, port['id'], groups)
    work.changes.members.update(groups)
    _note(work, port)
    return Made(port, held, groups)


def update(work: Work, port_id: str, attributes: Mapping[str, Any], groups_scope: Clause) -> Row:
    """Change a port. Moving it to another host, or from any, takes it down until the agent there says it is up."""
    old = rows.get(work.connection, PORT, port_id, lock=True)
    values = _stored(attributes)
    wanted = {**old, **values}
    old_groups = groups_of(work, port_id)
    groups = old_groups
    if 'security_groups' in attributes:
        groups = set(_groups(work, attributes['security_groups'] or [], groups_scope))
    port_checks.demand_security(wanted, groups, attributes)
    _check_vnic_type(old, wanted)
    values.update(_rebound(work, old, wanted, 'host' in values))
    if wanted['mac_address'] != old['mac_address']:
        _check_mac(old, wanted['mac_address'])
    port = _change(work, old, values)
    moved = 'fixed_ips' in attributes and addresses.reassign(work, port, attributes['fixed_ips'] or [])
    if 'allowed_address_pairs' in values:
        port_checks.demand_pairs_add(port, addresses.of_port(work, port_id))
    if groups != old_groups:
        work.connection.execute(t.port_groups.delete().where(t.port_groups.c.port_id == port_id))
        _add_groups(work, port_id, sorted(groups))
    _after_update(work, old, port, moved, old_groups, groups)
    return port


def delete(work: Work, port_id: str, *, told: bool = True) -> None:
    """Delete a port; its host takes it down and, if ``told``, its server hears of it."""
    port = rows.get(work.connection, PORT, port_id, lock=True)
    work.changes.members.update(groups_of(work, port_id))
    rows.delete(work.connection, PORT, port_id)
    _note(work, port)
    if told:
        events.post(work, events.DELETED, port)


def report_up(work: Work, host: str, port_ids: Collection[str]) -> dict[str, Stale]:
    """Take an agent's word that ports are wired; return why those that are not bound to that host are refused."""
    found = {row.id: dict(row._mapping)
             for row in work.connection.execute(_REPORTED, {'ports': sorted(port_ids)})}
    refused: dict[str, Stale] = {}
    by_status: dict[str, list[Row]] = {ACTIVE: [], DOWN: []}
    for port_id in port_ids:
        try:
            port = _bound_to(host, port_id, found.get(port_id))
        except Stale as error:
            refused[port_id] = error
            continue
        status = ACTIVE if port['admin_state_up'] and port['network_up'] else DOWN
        if port['status'] != status:
            by_status[status].append(port)
    for status, ports in by_status.items():
        _put(work, ports, status)
    events.post(work, events.PLUGGED, *by_status[ACTIVE])
    return refused


def _put(work: Work, ports: Sequence[Row], status: str) -> None:
    """Give ports a status, and take away what was the matter with them."""
    if plain := [port['id'] for port in ports if 'problem' not in port['vif_details']]:
        work.connection.execute(_PUT, {'ports': plain, 'new': status, 'moment': now()})
    for port in ports:
        if 'problem' in port['vif_details']:
            details = {key: value for key, value in port['vif_details'].items() if key != 'problem'}
            rows.change(work.connection, PORT, port['id'], {'status': status, 'vif_details': details})


def report_failed(work: Work, host: str, port_id: str, reason: str) -> None:
    """Take an agent's word that a port cannot be wired. :raises Stale: the port is not bound to that host."""
    port = _bound(work, host, port_id)
    details = {**port['vif_details'], 'problem': reason[:1000]}
    if port['status'] == ERROR and port['vif_details'] == details:
        return
    rows.change(work.connection, PORT, port_id, {'status': ERROR, 'vif_details': details})
    if port['status'] != ERROR:
        events.post(work, events.PLUGGED, port, status='failed')


def groups_of(work: Work, port_id: str) -> set[str]:
    """Return the security groups of a port."""
    return set(work.connection.execute(_GROUPS_OF, {'port': port_id}).scalars())


def _bound(work: Work, host: str, port_id: str) -> Row:
    row = work.connection.execute(sa.select(t.ports).where(t.ports.c.id == port_id).with_for_update()).first()
    return _bound_to(host, port_id, None if row is None else dict(row._mapping))


def _bound_to(host: str, port_id: str, port: Row | None) -> Row:
    """Return a port on which the agent of a host may report. :raises Stale: it may not."""
    if port is None:
        raise Stale(f'port {port_id} does not exist', code='port_gone')
    if port['vif_type'] != binding.TAP or port['host'] != host:
        where = f'host {port["host"]}' if port['vif_type'] == binding.TAP else 'no host'
        raise Stale(f'port {port_id} is bound to {where}, not to host {host}', code='port_not_bound_here')
    return port


def _stored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    values = PORT.values(attributes)
    for name in ('host', 'device_id', 'device_owner', 'dns_name'):
        if name in values:
            values[name] = values[name] or ''
    if 'profile' in values:
        values['profile'] = values['profile'] or {}
    if 'mac_address' in values and values['mac_address'] is not None:
        values['mac_address'] = addressing.mac_of(values['mac_address'])
    if 'vnic_type' in values:
        values['vnic_type'] = port_checks.demand_vnic_type(
            'normal' if values['vnic_type'] is None else values['vnic_type'])
    if 'allowed_address_pairs' in values:
        values['allowed_address_pairs'] = port_checks.read_pairs(values['allowed_address_pairs'] or [])
    return values


def _insert(work: Work, network: Row, values: Mapping[str, Any], mac: str | None) -> Row:
    macs = iter([mac]) if mac else addressing.macs(work.options.base_mac)
    for _, candidate in zip(range(_MAC_ATTEMPTS), macs, strict=False):
        try:
            with rows.tried(work.connection):
                return rows.insert(work.connection, PORT, {**values, 'mac_address': candidate})
        except IntegrityError:
            rows.get(work.connection, NETWORK, network['id'])
    raise _mac_taken(network['id'], mac) if mac else _no_mac(network['id'])


def _no_mac(network_id: str) -> Conflict:
    return Conflict(f'Unable to generate unique mac on network {network_id}.',
                    details={'type': 'MacAddressGenerationFailure'})


def _mac_taken(network_id: str, mac: str) -> Conflict:
    return Conflict(f'Unable to complete operation for network {network_id}. The mac address {mac} is in use.',
                    details={'type': 'MacAddressInUse'})


def _change(work: Work, old: Row, values: Mapping[str, Any]) -> Row:
    """Change a port's row; a MAC of None becomes a new one. :raises Conflict: another port has the MAC."""
    if values.get('mac_address', old['mac_address']) == old['mac_address']:
        return rows.change(work.connection, PORT, old['id'], values)
    asked = values['mac_address']
    macs = iter([asked]) if asked else addressing.macs(work.options.base_mac)
    for _, mac in zip(range(_MAC_ATTEMPTS), macs, strict=False):
        try:
            with rows.tried(work.connection):
                return rows.change(work.connection, PORT, old['id'], {**values, 'mac_address': mac})
        except IntegrityError:
            continue
    raise _mac_taken(old['network_id'], asked) if asked else _no_mac(old['network_id'])


def _check_mac(port: Row, mac: str | None) -> None:
    if port['vif_type'] == binding.TAP:
        raise Conflict(f'Unable to complete operation on port {port["id"]}, port is already bound, port type: '
                       f'{port["vif_type"]}, old_mac {port["mac_address"]}, new_mac {mac or "generated"}.',
                       details={'type': 'PortBound'})
    if port['device_owner'].startswith(port_checks.OF_NETWORK):
        raise Conflict(f'Operation on port {port["id"]} is not supported: its device_owner is {port["device_owner"]}, '
                       'and the MAC of a port of the network itself stays.',
                       details={'type': 'UnsupportedPortDeviceOwner'})


def _check_vnic_type(old: Row, wanted: Row) -> None:
    if wanted['vnic_type'] != old['vnic_type'] and wanted['host'] == old['host'] and old['vif_type'] == binding.TAP:
        raise Conflict(f'Unable to complete operation on port {old["id"]}: binding:vnic_type cannot be changed while '
                       'the port is bound to a host.', details={'type': 'PortInUse'})


def _groups(work: Work, asked: Sequence[str], scope: Clause) -> Sequence[str]:
    """Return the groups that are asked for, each once. :raises NotFound: one of them."""
    return [rows.get(work.connection, GROUP, group_id, scope=scope)['id'] for group_id in dict.fromkeys(asked)]


def _add_groups(work: Work, port_id: str, groups: Sequence[str]) -> None:
    for group_id in groups:
        try:
            with rows.tried(work.connection):
                work.connection.execute(t.port_groups.insert(), {'port_id': port_id, 'group_id': group_id})
        except IntegrityError:
            raise rows.missing(GROUP, group_id) from None


def _rebound(work: Work, old: Row, wanted: Row, host_given: bool) -> dict[str, Any]:
    """Return the binding's values if it is to be decided again."""
    same = all(wanted[name] == old[name] for name in ('host', 'vnic_type')) and (
        bool(wanted['device_id']) == bool(old['device_id']))
    if same and not (host_given and old['vif_type'] == binding.FAILED):
        return {} if wanted['admin_state_up'] or not old['admin_state_up'] else {'status': DOWN}
    return {**binding.decide(work, wanted), 'status': DOWN}


def _after_update(work: Work, old: Row, port: Row, moved: bool, old_groups: set[str], groups: set[str]) -> None:
    binding_changed = (old['host'], old['vif_type']) != (port['host'], port['vif_type'])
    if binding_changed:
        _note(work, old)
    if binding_changed or moved or groups != old_groups or any(old[name] != port[name] for name in _WIRED):
        _note(work, port)
    if groups != old_groups:
        work.changes.members.update(groups ^ old_groups)
    if moved or port['allowed_address_pairs'] != old['allowed_address_pairs']:
        work.changes.members.update(groups)
    if old['status'] == ACTIVE and port['status'] != ACTIVE:
        events.post(work, events.UNPLUGGED, old)
    if moved or groups != old_groups or port['mac_address'] != old['mac_address']:
        events.post(work, events.CHANGED, port)


def _note(work: Work, port: Row) -> None:
    if port['vif_type'] == binding.TAP:
        work.changes.ports.add((port['host'], port['network_id'], port['id']))
