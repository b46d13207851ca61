"""Networks: create, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import ports, ports_in_use, projects
from compute.builtin.network.control.addressing import IPV6_LEAST_MTU
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import NETWORK, SUBNET
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Invalid

_TYPES = ('local', 'flat')
_MTU = (68, 65535)
_TOLD = ('name', 'mtu', 'dns_domain', 'external', 'admin_state_up')


def create(work: Work, attributes: Mapping[str, Any]) -> Row:
    """Make a network. :raises Invalid: provider attributes that do not fit. :raises Conflict: quota."""
    project_id = attributes['project_id']
    projects.charge(work, project_id, 'network')
    projects.default_group(work, project_id)
    values = {'mtu': work.options.default_mtu, 'network_type': 'local', **_stored(attributes)}
    _check_provider(values)
    _check_default(work, values, None)
    return rows.insert(work.connection, NETWORK, values)


def update(work: Work, network_id: str, attributes: Mapping[str, Any]) -> Row:
    """Change a network.

    :raises Invalid: provider attributes, which stay as they were made.
    :raises Conflict: to stop sharing it while others have ports on it.
    """
    old = rows.get(work.connection, NETWORK, network_id, lock=True)
    values = _stored(attributes)
    for name in ('network_type', 'physical_network', 'segmentation_id'):
        if name in values and values[name] != old[name]:
            raise Invalid(f'provider:{name} of a network cannot be changed; it is {old[name]!r}',
                          details={'type': 'InvalidInput'})
    if values.get('shared') is False and old['shared']:
        _check_unshare(work, old)
    if values.get('mtu', IPV6_LEAST_MTU) < IPV6_LEAST_MTU and rows.every(
            work.connection, t.subnets, t.subnets.c.network_id == network_id, t.subnets.c.ip_version == 6):
        raise Invalid(f'mtu: {values["mtu"]} is below {IPV6_LEAST_MTU}, which IPv6 needs, and the network has an IPv6 '
                      'subnet', details={'type': 'InvalidInput'})
    _check_default(work, {**old, **values}, network_id)
    row = rows.change(work.connection, NETWORK, network_id, values)
    if any(row[name] != old[name] for name in _TOLD):
        work.changes.networks.add(network_id)
    return row


def delete(work: Work, network_id: str) -> None:
    """Delete a network with its subnets and the ports that exist for it only. :raises Conflict: it has other ports."""
    row = rows.get(work.connection, NETWORK, network_id, lock=True)
    if held := ports_in_use.ports(work, t.ports.c.network_id == network_id):
        raise _in_use(network_id, f'ports still in use on the network: {ports_in_use.named(held)}')
    try:
        for port_id in ports_in_use.automatic_ports(work, t.ports.c.network_id == network_id):
            ports.delete(work, port_id)
        for subnet in rows.every(work.connection, t.subnets, t.subnets.c.network_id == network_id):
            rows.delete(work.connection, SUBNET, subnet['id'])
        rows.delete(work.connection, NETWORK, network_id)
    except IntegrityError:
        raise _in_use(network_id, 'ports made on it at this moment') from None
    work.connection.execute(t.projects.update().where(
        t.projects.c.id == row['project_id'], t.projects.c.auto_network_id == network_id).values(auto_network_id=None))


def _in_use(network_id: str, what: str) -> Conflict:
    return Conflict(f'Unable to complete operation on network {network_id}. There are one or more {what}.',
                    details={'type': 'NetworkInUse'})


def _stored(attributes: Mapping[str, Any]) -> dict[str, Any]:
    values = NETWORK.values(attributes)
    if not values.get('mtu'):
        values.pop('mtu', None)
    elif not _MTU[0] <= values['mtu'] <= _MTU[1]:
        raise Invalid(f'mtu: {values["mtu"]} is not in {_MTU[0]} to {_MTU[1]}', details={'type': 'InvalidInput'})
    return values


def _check_provider(values: Mapping[str, Any]) -> None:
    kind = values['network_type']
    if kind not in _TYPES:
        raise Invalid(f'provider:network_type: {kind!r} is not served by this network daemon; types are '
                      f'{", ".join(_TYPES)}', details={'type': 'InvalidInput'})
    if values.get('segmentation_id') is not None:
        raise Invalid(f'provider:segmentation_id: a network of type {kind} has none', details={'type': 'InvalidInput'})
    if kind == 'local' and values.get('physical_network') is not None:
        raise Invalid('provider:physical_network: a network of type local has none', details={'type': 'InvalidInput'})


def _check_default(work: Work, values: Mapping[str, Any], own_id: str | None) -> None:
    """There is one default network at most, so that ``networks: auto`` has one answer."""
    if not values.get('is_default'):
        return
    query = sa.select(t.networks.c.id).where(t.networks.c.is_default.is_(True))
    if own_id is not None:
        query = query.where(t.networks.c.id != own_id)
    if (other := work.connection.execute(query).scalar()) is not None:
        raise Conflict(f'is_default: network {other} is the default network already',
                       details={'type': 'DefaultExternalNetworkExists'})


def _check_unshare(work: Work, network: Row) -> None:
    query = sa.select(sa.func.count()).select_from(t.ports).where(
        t.ports.c.network_id == network['id'], t.ports.c.project_id != network['project_id'])
    if count := work.connection.execute(query).scalar():
        raise Conflict(f'Unable to reconfigure sharing settings for network {network["id"]}. Other projects have '
                       f'{count} ports on it.', details={'type': 'InvalidSharedSetting'})
