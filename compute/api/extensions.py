"""The list of extensions, by which clients older than microversions discover features.

The aliases are Nova's, which are fixed. One is listed as soon as the operation that it needs is served; those of
operations that were removed are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from compute.exception import NotFound
from compute.policies import extensions as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource

_SHOWN, _CREATED, _LISTED = 'GET /servers/{id}', 'POST /servers', 'GET /servers'
_FLAVOR, _MADE, _QUOTAS = 'GET /flavors/{id}', 'POST /flavors', 'GET /os-quota-sets/{id}'
_HYPERVISORS, _SERVICES, _GROUPS = 'GET /os-hypervisors', 'GET /os-services', 'GET /os-server-groups'
_BARE, _ATTACHED = 'GET /os-baremetal-nodes', '/servers/{server_id}/os-volume_attachments'


def _act(key: str) -> str:
    return f'POST /servers/{{id}}/action {key}'


# (alias, name, what it gives, the operation without which it is not true).
ROWS = (
    ('NMN', 'Multinic', 'Fixed addresses are added to and removed from servers.', _act('addFixedIp')),
    ('OS-DCF', 'DiskConfig', 'How a disk is partitioned.', _CREATED),
    ('OS-EXT-AZ', 'ExtendedAvailabilityZone', 'The zone in the server.', _SHOWN),
    ('OS-EXT-IMG-SIZE', 'ImageSize', 'The size in the image.', 'GET /images/{id}'),
    ('OS-EXT-IPS', 'ExtendedIps', 'The type of an address in the server.', _SHOWN),
    ('OS-EXT-IPS-MAC', 'ExtendedIpsMac', 'The MAC address beside an address in the server.', _SHOWN),
    ('OS-EXT-SRV-ATTR', 'ExtendedServerAttributes', 'Host and hypervisor in the server.', _SHOWN),
    ('OS-EXT-STS', 'ExtendedStatus', 'States of virtual machine, task and power in the server.', _SHOWN),
    ('OS-FLV-DISABLED', 'FlavorDisabled', 'Whether a flavor is disabled.', _FLAVOR),
    ('OS-FLV-EXT-DATA', 'FlavorExtraData', 'The ephemeral disk of flavors.', _FLAVOR),
    ('OS-SCH-HNT', 'SchedulerHints', 'Wishes about where a server runs.', _CREATED),
    ('OS-SRV-USG', 'ServerUsage', 'When a server was launched and ended.', _SHOWN),
    ('os-access-ips', 'AccessIPs', 'Addresses by which users reach a server.', _CREATED),
    ('os-admin-actions', 'AdminActions', 'Setting the state of a server.', _act('os-resetState')),
    ('os-admin-password', 'AdminPassword', 'Setting the password of a server.', _act('changePassword')),
    ('os-aggregates', 'Aggregates', 'Groups of hosts.', 'POST /os-aggregates'),
    ('os-assisted-volume-snapshots', 'AssistedVolumeSnapshots', 'Snapshots of volumes that hosts help with.',
     'POST /os-assisted-volume-snapshots'),
    ('os-attach-interfaces', 'AttachInterfaces', 'The ports of a server.', 'GET /servers/{server_id}/os-interface'),
    ('os-availability-zone', 'AvailabilityZone', 'Zones that servers can be placed in.', 'GET /os-availability-zone'),
    ('os-baremetal-ext-status', 'BareMetalExtStatus', 'More states of bare metal nodes.', _BARE),
    ('os-baremetal-nodes', 'BareMetalNodes', 'Bare metal nodes.', _BARE),
    ('os-block-device-mapping', 'BlockDeviceMapping', 'Volumes that a server is created with.', f'POST {_ATTACHED}'),
    ('os-block-device-mapping-v2-boot', 'BlockDeviceMappingV2Boot', 'Servers that boot from volumes.',
     f'POST {_ATTACHED}'),
    ('os-config-drive', 'ConfigDrive', 'A disk with the metadata of the server.', _CREATED),
    ('os-console-auth-tokens', 'ConsoleAuthTokens', 'What a token of a console is for.',
     'GET /os-console-auth-tokens/{id}'),
    ('os-console-output', 'ConsoleOutput', 'The log of the serial console.', _act('os-getConsoleOutput')),
    ('os-consoles', 'Consoles', 'Consoles of servers.', 'POST /servers/{server_id}/remote-consoles'),
    ('os-create-backup', 'CreateBackup', 'Backups of servers in turn.', _act('createBackup')),
    ('os-deferred-delete', 'DeferredDelete', 'Deleting at once.', _act('forceDelete')),
    ('os-evacuate', 'Evacuate', 'Servers of a failed host are built again elsewhere.', _act('evacuate')),
    ('os-extended-evacuate-find-host', 'ExtendedEvacuateFindHost', 'Evacuation to a host that the scheduler chooses.',
     _act('evacuate')),
    ('os-extended-floating-ips', 'ExtendedFloatingIps', 'A floating address for a chosen fixed one.',
     _act('addFloatingIp')),
    ('os-extended-hypervisors', 'ExtendedHypervisors', 'The address in the hypervisor.', _HYPERVISORS),
    ('os-extended-networks', 'ExtendedNetworks', 'More about networks.', 'GET /os-networks'),
    ('os-extended-quotas', 'ExtendedQuotas', 'Quotas return to their defaults, or are set below what is used.',
     'DELETE /os-quota-sets/{id}'),
    ('os-extended-rescue-with-image', 'ExtendedRescueWithImage', 'The image of a rescue.', _act('rescue')),
    ('os-extended-services', 'ExtendedServices', 'Why a service is disabled.', _SERVICES),
    ('os-extended-services-delete', 'ExtendedServicesDelete', 'Services are removed.', 'DELETE /os-services/{id}'),
    ('os-extended-status', 'ExtendedStatus', 'States of virtual machine, task and power in the server.', _SHOWN),
    ('os-extended-volumes', 'ExtendedVolumes', 'The volumes in the server.', _SHOWN),
    ('os-flavor-access', 'FlavorAccess', 'Private flavors, and the projects that may use them.',
     'GET /flavors/{id}/os-flavor-access'),
    ('os-flavor-extra-specs', 'FlavorExtraSpecs', 'What a flavor needs besides its size.',
     'GET /flavors/{id}/os-extra_specs'),
    ('os-flavor-manage', 'FlavorManage', 'Making and deleting flavors.', _MADE),
    ('os-flavor-rxtx', 'FlavorRxtx', 'The network factor of flavors.', _FLAVOR),
    ('os-flavor-swap', 'FlavorSwap', 'The swap disk of flavors.', _FLAVOR),
    ('os-floating-ip-pools', 'FloatingIpPools', 'Networks of floating addresses.', 'GET /os-floating-ip-pools'),
    ('os-floating-ips', 'FloatingIps', 'Floating addresses.', 'GET /os-floating-ips'),
    ('os-hide-server-addresses', 'HideServerAddresses', 'A server that is being built shows no addresses.', _SHOWN),
    ('os-hosts', 'Hosts', 'Hosts.', 'GET /os-hosts'),
    ('os-hypervisor-status', 'HypervisorStatus', 'State and status in the hypervisor.', _HYPERVISORS),
    ('os-hypervisors', 'Hypervisors', 'Hosts with what they have and what is used.', _HYPERVISORS),
    ('os-instance-actions', 'InstanceActions', 'What was done to a server, and how far it came.',
     'GET /servers/{server_id}/os-instance-actions'),
    ('os-instance_usage_audit_log', 'OSInstanceUsageAuditLog', 'How far the reports of use came.',
     'GET /os-instance_usage_audit_log'),
    ('os-keypairs', 'Keypairs', 'Public keys that servers are given.', 'GET /os-keypairs'),
    ('os-lock-server', 'LockServer', 'Locking servers against changes.', _act('lock')),
    ('os-migrate-server', 'MigrateServer', 'Servers are moved to another host.', _act('migrate')),
    ('os-migrations', 'Migrations', 'Moves of servers.', 'GET /os-migrations'),
    ('os-multiple-create', 'MultipleCreate', 'Several servers with one request.', _CREATED),
    ('os-networks', 'Networks', 'Networks.', 'GET /os-networks'),
    ('os-pause-server', 'PauseServer', 'Servers are paused in memory.', _act('pause')),
    ('os-personality', 'Personality', 'Files that a server is created with.', _CREATED),
    ('os-preserve-ephemeral-rebuild', 'PreserveEphemeralOnRebuild', 'A rebuild keeps the ephemeral disk.',
     _act('rebuild')),
    ('os-quota-class-sets', 'QuotaClasses', 'Default quotas.', 'GET /os-quota-class-sets/{id}'),
    ('os-quota-sets', 'Quotas', 'Quotas of projects.', _QUOTAS),
    ('os-rescue', 'Rescue', 'A server boots from another image to be mended.', _act('rescue')),
    ('os-security-groups', 'SecurityGroups', 'The security groups of a server.',
     'GET /servers/{server_id}/os-security-groups'),
    ('os-server-diagnostics', 'ServerDiagnostics', 'What a server uses now.', 'GET /servers/{server_id}/diagnostics'),
    ('os-server-external-events', 'ServerExternalEvents', 'News of other services about a server.',
     'POST /os-server-external-events'),
    ('os-server-group-quotas', 'ServerGroupQuotas', 'Quotas of server groups.', _GROUPS),
    ('os-server-groups', 'ServerGroups', 'Servers that shall run together or apart.', _GROUPS),
    ('os-server-list-multi-status', 'ServerListMultiStatus', 'A list of servers by several statuses.', _LISTED),
    ('os-server-password', 'ServerPassword', 'The password that a server has reported.',
     'GET /servers/{server_id}/os-server-password'),
    ('os-server-sort-keys', 'ServerSortKeys', 'The order of a list of servers.', _LISTED),
    ('os-server-start-stop', 'ServerStartStop', 'Servers are started and stopped.', _act('os-start')),
    ('os-services', 'Services', 'The daemons of the controller.', _SERVICES),
    ('os-shelve', 'Shelve', 'Servers are shelved.', _act('shelve')),
    ('os-simple-tenant-usage', 'SimpleTenantUsage', 'What projects have used.', 'GET /os-simple-tenant-usage'),
    ('os-suspend-server', 'SuspendServer', 'Servers are suspended to disk.', _act('suspend')),
    ('os-tenant-networks', 'OSTenantNetworks', 'Networks of a project.', 'GET /os-tenant-networks'),
    ('os-used-limits', 'UsedLimits', 'What a project uses of its limits.', 'GET /limits'),
    ('os-used-limits-for-admin', 'UsedLimitsForAdmin', 'Limits of another project.', 'GET /limits'),
    ('os-user-data', 'UserData', 'Data that a server reads when it first starts.', _CREATED),
    ('os-user-quotas', 'UserQuotas', 'Quotas of users in a project.', _QUOTAS),
    ('os-volume-attachment-update', 'VolumeAttachmentUpdate', 'A volume of a server is exchanged.',
     f'PUT {_ATTACHED}/{{volume_id}}'),
    ('os-volumes', 'Volumes', 'Volumes.', 'GET /os-volumes'),
)


def _view(alias: str, name: str, description: str) -> dict[str, Any]:
    return {'alias': alias, 'name': name, 'description': description, 'links': [],
            'namespace': 'http://docs.openstack.org/compute/ext/fake_xml', 'updated': '2014-12-03T00:00:00Z'}


class _Extensions:
    """The parts of an API that serves the operations of ``resources``."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        served = {f'POST {resource.actions} {op.path}' if op.method == 'ACTION' else f'{op.method} {op.path}'
                  for resource in resources for op in resource.ops if op.handler is not None}
        self._parts = {alias: _view(alias, name, description) for alias, name, description, need in ROWS
                       if need in served}

    def index(self, call: Call) -> Any:
        """List the parts."""
        return {'extensions': list(self._parts.values())}

    def show(self, call: Call) -> Any:
        """Show one part. :raises NotFound: there is none of this alias, or it is not served."""
        if call.path['id'] not in self._parts:
            raise NotFound(f'Extension {call.path["id"]} could not be found.')
        return {'extension': self._parts[call.path['id']]}


def resource(resources: Iterable[Resource]) -> Resource:
    """Return the resource that lists the parts which ``resources`` make true."""
    parts = _Extensions(resources)
    return Resource('extensions', (
        Op('GET', '/extensions', parts.index, policy=policy.SEE),
        Op('GET', '/extensions/{id}', parts.show, policy=policy.SEE),
    ))
