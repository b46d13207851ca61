"""Permissions for attributes of ports: only attributes whose value changes need permission."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from compute.builtin.network.api.nouns import demand_attributes
from compute.builtin.network.control import addressing
from compute.builtin.network.control.port_checks import OF_NETWORK
from compute.builtin.network.db.kinds import PORT
from compute.exception import Invalid
from compute.rest.call import Call

IN_USE = ('compute:', 'baremetal:', 'manila:')
"""How the ``device_owner`` begins of ports that only services delete."""


def demand_create(call: Call, item: Mapping[str, Any], network: Mapping[str, Any]) -> None:
    """Return if the caller may make a port with these attributes. :raises Forbidden: names the rule."""
    current = {'binding:host_id': '', 'binding:profile': {}, 'mac_address': None, 'device_owner': '',
               'port_security_enabled': network['port_security_enabled'], 'allowed_address_pairs': []}
    target = {'project_id': item['project_id'], 'network_id': network['id'],
              'network_project_id': network['project_id'], 'network_shared': network['shared']}
    demand_attributes(call, 'create_port', _changes(item, current, ()), target)


def demand_update(call: Call, item: Mapping[str, Any], held: Iterable[str]) -> None:
    """Return if the caller may change the loaded port so; ``held`` are its addresses. :raises Forbidden:"""
    current = {name: call.target[column.name] for name, column in PORT.columns.items()}
    demand_attributes(call, 'update_port', _changes(item, current, held), call.target)


def demand_delete(call: Call) -> None:
    """Return if the caller may delete the loaded port. :raises Forbidden:"""
    if call.target['device_owner'].startswith(IN_USE):
        call.demand('delete_port:device_owner')


def _changes(item: Mapping[str, Any], current: Mapping[str, Any], held: Iterable[str]) -> dict[str, Any]:
    """Return the attributes, and parts of ``fixed_ips``, that need permission."""
    found = {name: value for name, value in item.items() if name not in current or _is_new(name, value, current)}
    if not (found.get('device_owner') or '').startswith(OF_NETWORK):
        found.pop('device_owner', None)
    addresses = {ipaddress.ip_address(address) for address in held}
    for asked in item.get('fixed_ips') or ():
        if not asked.get('ip_address'):
            found['fixed_ips:subnet_id'] = asked
        elif addressing.address_of(asked['ip_address']) not in addresses:
            found['fixed_ips:ip_address'] = asked
    return found


def _is_new(name: str, value: Any, current: Mapping[str, Any]) -> bool:
    was = current[name]
    if name == 'mac_address' and value is not None:
        return _mac(value) != was
    if name == 'allowed_address_pairs':
        return _pairs(value or (), current['mac_address']) != _pairs(was, current['mac_address'])
    if name in ('binding:host_id', 'device_owner'):
        return bool((value or '') != was)
    return bool((value or {}) != was) if name == 'binding:profile' else bool(value != was)


def _pairs(pairs: Iterable[Mapping[str, Any]], mac: str | None) -> list[tuple[str, str | None]]:
    return sorted(((pair['ip_address'], _mac(pair.get('mac_address') or mac)) for pair in pairs), key=str)


def _mac(text: str | None) -> str | None:
    try:
        return None if text is None else addressing.mac_of(text)
    except Invalid:
        return text
