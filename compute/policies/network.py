"""Who may do what in the built-in network.

Members change what is their project's, readers see it, administrators do everything but set ``binding:profile``, which
is for services only. Compute's service user sees everything, and may make and bind ports for others. Rules with a colon
guard one attribute: to set it, or (``get_``) to see it. A value that changes nothing needs no permission, and of
``device_owner`` only those that begin with ``network:`` do. ``network_project_id`` is the owner of the network that a
port or subnet is on.
"""

from __future__ import annotations

from typing import Any

from oslo_policy import policy

_ADMIN = 'role:admin'
_SERVICE = f'{_ADMIN} or role:service'
_WRITER = '(role:member or role:manager)'
_OWNER = f'{_ADMIN} or ({_WRITER} and project_id:%(project_id)s)'
_OWNER_OR_SERVICE = f'{_OWNER} or role:service'
_READER = f'{_SERVICE} or role:reader or {_WRITER}'
_NETWORK_OWNER = f'{_SERVICE} or ({_WRITER} and project_id:%(network_project_id)s)'
_NETWORK_USER = f'{_NETWORK_OWNER} or (rule:network_shared and {_WRITER})'
_MEMBER = f'{_ADMIN} or {_WRITER}'
_ADMIN_READER = f'{_ADMIN} or role:service'
_OWN_QUOTA = f'{_ADMIN} or role:service or project_id:%(project_id)s'

_NOUNS = (
    ('network', 'networks', 'a network', _OWNER),
    ('subnet', 'subnets', 'a subnet', f'{_OWNER} or ({_WRITER} and project_id:%(network_project_id)s)'),
    ('port', 'ports', 'a port', _OWNER_OR_SERVICE),
    ('security_group', 'security-groups', 'a security group', _OWNER),
    ('security_group_rule', 'security-group-rules', 'a security-group rule', _OWNER),
)

_ATTRIBUTES = (
    ('network', ('create', 'update'), ('shared', 'is_default', 'router:external', 'provider:network_type',
                                       'provider:physical_network', 'provider:segmentation_id'), _ADMIN),
    ('network', ('get',), ('provider:network_type', 'provider:physical_network', 'provider:segmentation_id'),
     _ADMIN_READER),
    ('subnet', ('create',), ('network_id',), f'{_ADMIN} or ({_WRITER} and project_id:%(network_project_id)s)'),
    ('port', ('create',), ('network_id',), _NETWORK_USER),
    ('port', ('create', 'update'), ('binding:host_id',), _SERVICE),
    ('port', ('create', 'update'), ('binding:profile',), 'role:service'),
    ('port', ('create',), ('mac_address',), _NETWORK_OWNER),
    ('port', ('update',), ('mac_address',), f'{_SERVICE} or (role:manager and project_id:%(network_project_id)s)'),
    ('port', ('create', 'update'), ('port_security_enabled', 'allowed_address_pairs'), _NETWORK_OWNER),
    ('port', ('create', 'update'), ('device_owner',), _NETWORK_OWNER),
    ('port', ('create', 'update'), ('fixed_ips', 'fixed_ips:subnet_id'), _NETWORK_USER),
    ('port', ('create', 'update'), ('fixed_ips:ip_address',), _NETWORK_OWNER),
    ('port', ('get',), ('binding:host_id', 'binding:profile', 'binding:vif_type', 'binding:vif_details'),
     _ADMIN_READER),
)

_OTHERS = (
    ('network_shared', "'True':%(network_shared)s", 'The network in question is shared.', ()),
    ('network_sees_all', _SERVICE, 'See the things of all projects.', ()),
    ('acts_for_others', _SERVICE, 'Make things that belong to another project.', ()),
    ('delete_default_security_group', _ADMIN, 'Delete a default group, which comes back on its next use.', ()),
    ('delete_port:device_owner', _SERVICE,
     'Delete a port of a server, a bare metal node or a file share: device_owner compute:, baremetal:, manila:.',
     ()),
    ('get_agents', '@', 'List agents; empty without the permission get_agent.',
     ('GET /v2.0/agents',)),
    ('get_agent', _ADMIN_READER, 'Show an agent; other users get 404.', ('GET /v2.0/agents/{id}',)),
    ('update_agent', _ADMIN, 'Enable, disable or describe an agent.', ('PUT /v2.0/agents/{id}',)),
    ('delete_agent', _ADMIN, 'Forget an agent.', ('DELETE /v2.0/agents/{id}',)),
    ('get_quotas', _ADMIN, 'List the projects with limits of their own.', ('GET /v2.0/quotas',)),
    ('get_quota', _OWN_QUOTA, 'See the limits of a project.', ('GET /v2.0/quotas/{project_id}',)),
    ('update_quota', _ADMIN, 'Change the limits of a project.', ('PUT /v2.0/quotas/{project_id}',)),
    ('delete_quota', _ADMIN, 'Give a project the default limits.', ('DELETE /v2.0/quotas/{project_id}',)),
    ('get_extension', '@', 'See what this API offers.', ('GET /v2.0/extensions',)),
    ('get_availability_zone', '@', 'See the availability zones.', ('GET /v2.0/availability_zones',)),
    ('get_service_provider', '@', 'See the service providers.', ('GET /v2.0/service-providers',)),
    ('get_network_ip_availabilities', '@', 'List the use of addresses; empty without the permission '
     'get_network_ip_availability.', ('GET /v2.0/network-ip-availabilities',)),
    ('get_network_ip_availability', _ADMIN_READER, 'See how many addresses are in use.',
     ('GET /v2.0/network-ip-availabilities/{id}',)),
    ('get_auto_allocated_topology', f'{_SERVICE} or ({_WRITER} and project_id:%(project_id)s)',
     'Get a network for a project that does not choose one.', ('GET /v2.0/auto-allocated-topology/{project_id}',)),
    ('delete_auto_allocated_topology', f'{_ADMIN} or ({_WRITER} and project_id:%(project_id)s)',
     'Delete the network that was made for a project.', ('DELETE /v2.0/auto-allocated-topology/{project_id}',)),
)


def _operations(*paths: str) -> list[Any]:
    pairs = [path.split(' ') for path in paths]
    return [{'method': method, 'path': path} for method, path in pairs]


def _noun_rules(name: str, path: str, title: str, owner: str) -> list[policy.RuleDefault]:
    collection, member = f'/v2.0/{path}', f'/v2.0/{path}/{{id}}'
    make = policy.DocumentedRuleDefault
    tags = [] if name == 'security_group_rule' else [
        make(f'update_{name}s_tags', owner, f'Change the tags of {title}.',
             _operations(f'PUT {member}/tags', f'DELETE {member}/tags'))]
    update = [] if name == 'security_group_rule' else [
        make(f'update_{name}', owner, f'Change {title}.', _operations(f'PUT {member}'))]
    create = _MEMBER if name != 'port' else f'{_MEMBER} or role:service'
    delete = f'{owner} or ({_WRITER} and project_id:%(network_project_id)s)' if name == 'port' else owner
    return [make(f'create_{name}', create, f'Make {title}.', _operations(f'POST {collection}')),
            make(f'get_{name}', _READER, f'See {title}.', _operations(f'GET {collection}', f'GET {member}')),
            *update, make(f'delete_{name}', delete, f'Delete {title}.', _operations(f'DELETE {member}')), *tags]


def _attribute_rules(noun: str, verb: str, attribute: str, check: str) -> policy.RuleDefault:
    return policy.RuleDefault(f'{verb}_{noun}:{attribute}', check, f'{verb} the attribute {attribute} of a {noun}.')


GUARDED = tuple((f'{verb}_{noun}', attribute)
                for noun, verbs, attributes, _ in _ATTRIBUTES for verb in verbs for attribute in attributes)
"""(rule, attribute) of attributes with rules of their own."""

RULES: tuple[policy.RuleDefault, ...] = (
    *(rule for noun in _NOUNS for rule in _noun_rules(*noun)),
    *(_attribute_rules(noun, verb, attribute, check)
      for noun, verbs, attributes, check in _ATTRIBUTES for verb in verbs for attribute in attributes),
    *(policy.DocumentedRuleDefault(name, check, text, _operations(*paths)) if paths else policy.RuleDefault(
        name, check, text) for name, check, text, paths in _OTHERS),
)
