"""From Neutron's JSON to the core's values. Pure; the fake uses it too."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from compute import exception
from compute.objects.network import Network, Port, SecurityGroup, SecurityGroupRule, ServerPort
from compute.objects.nic import FixedIp, Nic, Subnet, device_name

Json = Mapping[str, Any]


def network_of(found: Json) -> Network:
    """Return a network."""
    return Network(id=found['id'], name=found.get('name') or '', project_id=_project(found),
                   shared=bool(found.get('shared')), external=bool(found.get('router:external')),
                   admin_up=found.get('admin_state_up', True), mtu=found.get('mtu') or 1500,
                   port_security=found.get('port_security_enabled', True), subnet_ids=tuple(found.get('subnets') or ()))


def port_of(found: Json) -> Port:
    """Return a port."""
    return Port(id=found['id'], network_id=found['network_id'], name=found.get('name') or '',
                project_id=_project(found), device_id=found.get('device_id') or '',
                device_owner=found.get('device_owner') or '', mac=found.get('mac_address') or '',
                status=found.get('status') or 'DOWN', host=found.get('binding:host_id') or '',
                vnic_type=found.get('binding:vnic_type') or 'normal', fixed_ips=fixed_ips(found),
                security_groups=tuple(found.get('security_groups') or ()),
                deferred_ip=found.get('ip_allocation') == 'deferred', owned=bool(found.get('owned')),
                created_at=_time(found.get('created_at')))


def security_group_of(found: Json) -> SecurityGroup:
    """Return a security group."""
    rules = tuple(_rule_of(rule) for rule in found.get('security_group_rules') or ()
                  if rule.get('direction') == 'ingress')
    return SecurityGroup(id=found['id'], name=found.get('name') or '', project_id=_project(found),
                         description=found.get('description') or '', rules=rules)


def _rule_of(found: Json) -> SecurityGroupRule:
    return SecurityGroupRule(
        id=found['id'], version=6 if found.get('ethertype') == 'IPv6' else 4, protocol=found.get('protocol'),
        first_port=found.get('port_range_min'), last_port=found.get('port_range_max'),
        cidr=found.get('remote_ip_prefix'), remote_group_id=found.get('remote_group_id'))


def fixed_ips(found: Json) -> tuple[FixedIp, ...]:
    """Return the addresses of a port."""
    return tuple(
        FixedIp(address=ip['ip_address'], subnet_id=ip['subnet_id'], version=6 if ':' in ip['ip_address'] else 4)
        for ip in found.get('fixed_ips') or () if ip.get('ip_address'))


def subnet_of(found: Json) -> Subnet:
    """Return a subnet."""
    return Subnet(id=found['id'], cidr=found['cidr'], version=found.get('ip_version') or 4,
                  gateway=found.get('gateway_ip') or None, dns=tuple(found.get('dns_nameservers') or ()),
                  routes=tuple((route['destination'], route['nexthop']) for route in found.get('host_routes') or ()),
                  enable_dhcp=bool(found.get('enable_dhcp', True)),
                  ipv6_address_mode=found.get('ipv6_address_mode') or None)


def nic_of(port: Json, network: Json, subnets: Mapping[str, Json], *, owned: bool) -> Nic:
    """Return a port with its network and the subnets of its addresses."""
    addresses = fixed_ips(port)
    used = [subnets[key] for key in dict.fromkeys(ip.subnet_id for ip in addresses) if key in subnets]
    return Nic(port_id=port['id'], network_id=port['network_id'], network_name=network.get('name') or '',
               mac=port.get('mac_address') or '', device=device_name(port['id']), mtu=network.get('mtu') or 1500,
               vif_type=port.get('binding:vif_type') or '', vif_details=_texts(port.get('binding:vif_details') or {}),
               vnic_type=port.get('binding:vnic_type') or 'normal', fixed_ips=addresses,
               subnets=tuple(subnet_of(subnet) for subnet in used),
               security_groups=tuple(port.get('security_groups') or ()), active=port.get('status') == 'ACTIVE',
               owned=owned)


def by_server(device_ids: Sequence[str], ports: Sequence[Json], networks: Mapping[str, Json],
              subnets: Mapping[str, Json]) -> dict[str, list[ServerPort]]:
    """Return ports by the server that is their device. A server whose network or subnet is not there is left out."""
    found: dict[str, list[ServerPort]] = {device_id: [] for device_id in device_ids}
    for port in ports:
        network = networks.get(port['network_id'])
        if network is None or any(ip.subnet_id not in subnets for ip in fixed_ips(port)):
            found.pop(port['device_id'], None)
        elif port['device_id'] in found:
            found[port['device_id']].append(ServerPort(port=port_of(port), nic=nic_of(
                port, network, subnets, owned=bool(port.get('owned')))))
    return found


def check_free(port: Port, device_id: str, project_id: str) -> None:
    """Return if a server may have a port. :raises Conflict: another one has it. :raises Forbidden: a foreign one."""
    if port.device_id and port.device_id != device_id:
        raise exception.Conflict(f'Port {port.id} is still in use.', code='port_in_use',
                                 for_users=f'Port {port.id} is still in use.')
    if project_id and port.project_id and port.project_id != project_id:
        raise exception.Forbidden(f'Port {port.id} belongs to another project.', code='port_not_usable',
                                  for_users=f'Port {port.id} belongs to another project.')


def _project(found: Json) -> str:
    return found.get('project_id') or found.get('tenant_id') or ''


def _time(text: str | None) -> datetime.datetime | None:
    """Return a time as the core keeps them, in UTC without a zone."""
    if not text:
        return None
    moment = datetime.datetime.fromisoformat(text)
    return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _texts(details: Mapping[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in details.items()}
