"""The security groups of a server's ports, with their rules, in the shape that this API had for them before Neutron."""

from __future__ import annotations

from typing import Any

from compute.api.servers.load import load
from compute.clients import ports
from compute.objects.network import SecurityGroup, SecurityGroupRule
from compute.policies import server_security_groups as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource


def index(call: Call) -> Any:
    """List the groups that the server's ports are in now."""
    found = ports.of_server(call.app.networks, call.target)
    groups = call.app.networks.groups_by_id(list(dict.fromkeys(
        key for each in found for key in each.nic.security_groups)))
    names = call.app.group_names.of(rule.remote_group_id for group in groups for rule in group.rules
                                    if rule.remote_group_id)
    return {'security_groups': [_group(group, names) for group in groups]}


def _group(group: SecurityGroup, names: dict[str, str]) -> dict[str, Any]:
    return {'id': group.id, 'name': group.name, 'description': group.description, 'tenant_id': group.project_id,
            'rules': [_rule(group, rule, names) for rule in group.rules]}


def _rule(group: SecurityGroup, rule: SecurityGroupRule, names: dict[str, str]) -> dict[str, Any]:
    first, last = rule.first_port, rule.last_port
    if first is None and last is None and rule.protocol:
        first, last = (1, 65535) if rule.protocol in ('tcp', 'udp') else (-1, -1)
    shown: dict[str, Any] = {'id': rule.id, 'parent_group_id': group.id, 'ip_protocol': rule.protocol,
                             'from_port': first, 'to_port': last, 'group': {}, 'ip_range': {}}
    if rule.remote_group_id:
        name = names.get(rule.remote_group_id, rule.remote_group_id)
        shown['group'] = {'name': name, 'tenant_id': group.project_id}
    else:
        shown['ip_range'] = {'cidr': rule.cidr or ('::/0' if rule.version == 6 else '0.0.0.0/0')}
    return shown


RESOURCE = Resource('server-security-groups', (
    Op('GET', '/servers/{server_id}/os-security-groups', index, policy=policy.LIST, loads=load),
))
