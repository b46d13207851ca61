"""The table of features of the Compute API: supported, planned, never. README.md and doc/features.rst show it.

Each operation of the route table belongs to one feature. A test compares the states with the routes.
An operation is ``METHOD /path`` or ``ACTION key`` (of servers, unless ``/path`` follows).
"""

from __future__ import annotations

from dataclasses import dataclass

SUPPORTED, PLANNED, NEVER = 'supported', 'planned', 'never'
_S = '/servers/{server_id}'


@dataclass(frozen=True)
class Feature:
    """``operations`` are its operations in the API; ``note`` is a remark for readers."""

    name: str
    state: str
    operations: tuple[str, ...]
    note: str = ''


def _crud(path: str, *methods: str, item: str = '{id}') -> tuple[str, ...]:
    """Return operations on a collection (``LIST``, ``POST``) and on its members (others)."""
    return tuple(f'{"GET" if method == "LIST" else method} {path}' if method in ('LIST', 'POST') else
                 f'{method} {path}/{item}' for method in methods)


def _actions(*keys: str) -> tuple[str, ...]:
    return tuple(f'ACTION {key}' for key in keys)


FEATURES = (
    Feature('versions, extensions, limits', SUPPORTED, (
        'GET /', 'GET /versions/{id}', *_crud('/extensions', 'LIST', 'GET'), 'GET /limits')),
    Feature('servers: create, list, show, update, delete', SUPPORTED, (
        *_crud('/servers', 'LIST', 'POST', 'GET', 'PUT', 'DELETE'), 'GET /servers/detail', *_actions('forceDelete'),
        *_crud('/os-volumes_boot', 'LIST', 'POST', 'GET', 'PUT', 'DELETE'), 'GET /os-volumes_boot/detail'),
        'from an image; on volumes: planned'),
    Feature('start, stop, reboot', SUPPORTED, (*_actions('os-start', 'os-stop', 'reboot'), *(
        f'ACTION {key} /os-volumes_boot' for key in ('os-start', 'os-stop', 'reboot')))),
    Feature('pause, suspend', SUPPORTED, _actions('pause', 'unpause', 'suspend', 'resume')),
    Feature('resize, cold migration', SUPPORTED, (
        *_actions('resize', 'confirmResize', 'revertResize', 'migrate'), *(
            f'ACTION {key} /os-volumes_boot' for key in ('resize', 'confirmResize', 'revertResize')))),
    Feature('lists of migrations', SUPPORTED, ('GET /os-migrations', *_crud(
        f'{_S}/migrations', 'LIST', 'GET', item='{migration_id}'))),
    Feature('lock, unlock', SUPPORTED, _actions('lock', 'unlock')),
    Feature('console log', SUPPORTED, _actions('os-getConsoleOutput')),
    Feature('metadata of servers', SUPPORTED, (
        f'GET {_S}/metadata', f'POST {_S}/metadata', f'PUT {_S}/metadata', f'GET {_S}/metadata/{{key}}',
        f'PUT {_S}/metadata/{{key}}', f'DELETE {_S}/metadata/{{key}}')),
    Feature('tags of servers', SUPPORTED, (
        f'GET {_S}/tags', f'PUT {_S}/tags', f'DELETE {_S}/tags', f'GET {_S}/tags/{{tag}}', f'PUT {_S}/tags/{{tag}}',
        f'DELETE {_S}/tags/{{tag}}')),
    Feature('addresses, interfaces and security groups of servers: show', SUPPORTED, (
        f'GET {_S}/ips', f'GET {_S}/ips/{{label}}', *_crud(f'{_S}/os-interface', 'LIST', 'GET', item='{port_id}'),
        f'GET {_S}/os-security-groups')),
    Feature('volumes of servers: show', SUPPORTED, _crud(
        f'{_S}/os-volume_attachments', 'LIST', 'GET', item='{volume_id}'), 'empty until volumes can be attached'),
    Feature('actions of servers and their events', SUPPORTED, _crud(
        f'{_S}/os-instance-actions', 'LIST', 'GET', item='{request_id}')),
    Feature('operations under way (our own)', SUPPORTED, (
        *_crud(f'{_S}/operations', 'LIST', 'GET', item='{operation_id}'), 'GET /operations', 'GET /audit',
        'GET /service-health')),
    Feature('flavors, access, extra specs', SUPPORTED, (
        *_crud('/flavors', 'LIST', 'POST', 'GET', 'PUT', 'DELETE'), 'GET /flavors/detail',
        'GET /flavors/{id}/os-flavor-access', 'ACTION addTenantAccess /flavors', 'ACTION removeTenantAccess /flavors',
        *_crud('/flavors/{id}/os-extra_specs', 'LIST', 'POST', 'GET', 'PUT', 'DELETE', item='{key}'))),
    Feature('key pairs', SUPPORTED, _crud('/os-keypairs', 'LIST', 'POST', 'GET', 'DELETE')),
    Feature('server groups', SUPPORTED, _crud('/os-server-groups', 'LIST', 'POST', 'GET', 'DELETE')),
    Feature('quotas of projects, users and classes', SUPPORTED, (
        'GET /os-quota-sets/{id}', 'PUT /os-quota-sets/{id}', 'DELETE /os-quota-sets/{id}',
        'GET /os-quota-sets/{id}/detail', 'GET /os-quota-sets/{id}/defaults', 'GET /os-quota-class-sets/{id}',
        'PUT /os-quota-class-sets/{id}')),
    Feature('services', SUPPORTED, (
        *_crud('/os-services', 'LIST', 'PUT', 'DELETE'), 'PUT /os-services/enable', 'PUT /os-services/disable',
        'PUT /os-services/disable-log-reason', 'PUT /os-services/force-down')),
    Feature('hypervisors', SUPPORTED, (
        *_crud('/os-hypervisors', 'LIST', 'GET'), 'GET /os-hypervisors/detail', 'GET /os-hypervisors/statistics',
        'GET /os-hypervisors/{id}/search', 'GET /os-hypervisors/{id}/servers', 'GET /os-hypervisors/{id}/uptime')),
    Feature('availability zones', SUPPORTED, ('GET /os-availability-zone', 'GET /os-availability-zone/detail')),
    Feature('external events', SUPPORTED, ('POST /os-server-external-events',)),
    Feature('rebuild', PLANNED, (*_actions('rebuild'), 'ACTION rebuild /os-volumes_boot')),
    Feature('live migration, evacuation', PLANNED, (
        *_actions('os-migrateLive', 'evacuate'), f'DELETE {_S}/migrations/{{migration_id}}',
        f'ACTION force_complete {_S}/migrations')),
    Feature('snapshots and backups of servers', PLANNED, (
        *_actions('createImage', 'createBackup'), 'ACTION createImage /os-volumes_boot')),
    Feature('shelve, rescue, restore', PLANNED, _actions(
        'shelve', 'shelveOffload', 'unshelve', 'rescue', 'unrescue', 'restore')),
    Feature('passwords, crash dumps, diagnostics, reset of states', PLANNED, (
        *_actions('changePassword', 'trigger_crash_dump', 'os-resetState', 'injectNetworkInfo'),
        'ACTION trigger_crash_dump /os-volumes_boot', f'GET {_S}/diagnostics',
        f'GET {_S}/os-server-password', f'DELETE {_S}/os-server-password', f'GET {_S}/topology')),
    Feature('graphical and serial consoles', PLANNED, (
        f'POST {_S}/remote-consoles', *_actions('os-getVNCConsole', 'os-getSPICEConsole', 'os-getSerialConsole'),
        'GET /os-console-auth-tokens/{id}')),
    Feature('attaching interfaces, security groups, addresses', PLANNED, (
        f'POST {_S}/os-interface', f'DELETE {_S}/os-interface/{{id}}', *_actions(
            'addSecurityGroup', 'removeSecurityGroup', 'addFloatingIp', 'removeFloatingIp', 'addFixedIp',
            'removeFixedIp'))),
    Feature('attaching volumes, shares, booting from volumes', PLANNED, (
        f'POST {_S}/os-volume_attachments', f'PUT {_S}/os-volume_attachments/{{id}}',
        f'DELETE {_S}/os-volume_attachments/{{id}}', *_crud(f'{_S}/shares', 'LIST', 'POST', 'GET', 'DELETE'),
        'POST /os-assisted-volume-snapshots', 'DELETE /os-assisted-volume-snapshots/{id}')),
    Feature('host aggregates: list', SUPPORTED, ('GET /os-aggregates',), 'empty until aggregates can be made'),
    Feature('host aggregates: change', PLANNED, (
        *_crud('/os-aggregates', 'POST', 'GET', 'PUT', 'DELETE'), 'POST /os-aggregates/{id}/images',
        *(f'ACTION {key} /os-aggregates' for key in ('add_host', 'remove_host', 'set_metadata')))),
    Feature('usage of projects', PLANNED, (
        *_crud('/os-simple-tenant-usage', 'LIST', 'GET'), *_crud('/os-instance_usage_audit_log', 'LIST', 'GET'))),
    Feature('hosts (to 2.42)', PLANNED, _crud('/os-hosts', 'LIST', 'GET', 'PUT')),
    Feature('proxies of images, networks and volumes (to 2.35)', PLANNED, (
        *_crud('/images', 'LIST', 'GET', 'DELETE'), *_crud('/os-networks', 'LIST', 'GET'), 'GET /os-floating-ip-pools',
        *_crud('/os-floating-ips', 'LIST', 'POST', 'GET', 'DELETE'),
        *_crud('/os-security-groups', 'LIST', 'POST', 'GET', 'PUT', 'DELETE'),
        *_crud('/os-volumes', 'LIST', 'POST', 'GET', 'DELETE'),
        *_crud('/os-snapshots', 'LIST', 'POST', 'GET', 'DELETE'), *_crud('/os-tenant-networks', 'LIST', 'GET'))),
    Feature('bare metal proxy', NEVER, _crud('/os-baremetal-nodes', 'LIST', 'POST', 'GET', 'DELETE'),
            'the Bare Metal service has an API of its own'),
    Feature('what Nova itself removed: cells, certificates, cloudpipe, agents, fping ...', NEVER, (), 'answers 410'),
)

NEIGHBOURS = (
    Feature('identity (Keystone v3)', SUPPORTED, (), 'built in; or a real Keystone'),
    Feature('images (Glance v2)', SUPPORTED, (), 'built in; or a real Glance'),
    Feature('networks (Neutron v2.0): networks, subnets, ports, security groups', SUPPORTED, (),
            'built in; or a real Neutron'),
    Feature('networks: routers, floating IPs, overlay across hosts', PLANNED, ()),
    Feature('volumes (Cinder v3)', PLANNED, ()),
    Feature('EC2 API, dashboard', PLANNED, ()),
)
