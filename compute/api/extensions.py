"""The parts that this API consists of, for clients of before microversions, which looked here for what they may use."""

from __future__ import annotations

from typing import Any

from compute.exception import NotFound
from compute.policies import extensions as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource

# (alias, name, what it gives). A row is added with the part that it names.
_ROWS = (
    ('extensions', 'Extensions', 'This list.'),
    ('flavors', 'Flavors', 'Sizes of servers.'),
    ('ips', 'Ips', 'Addresses of servers.'),
    ('limits', 'Limits', 'What a project may use, and what it does.'),
    ('os-attach-interfaces', 'AttachInterfaces', 'The ports of a server, to read.'),
    ('os-availability-zone', 'AvailabilityZone', 'Zones that servers can be placed in.'),
    ('os-config-drive', 'ConfigDrive', 'A disk with the metadata of the server.'),
    ('os-console-output', 'ConsoleOutput', 'The log of the serial console.'),
    ('os-deferred-delete', 'DeferredDelete', 'Deleting at once.'),
    ('os-extended-availability-zone', 'ExtendedAvailabilityZone', 'The zone in the server.'),
    ('os-extended-server-attributes', 'ExtendedServerAttributes', 'Host and hypervisor in the server.'),
    ('os-extended-status', 'ExtendedStatus', 'States of virtual machine, task and power in the server.'),
    ('os-flavor-access', 'FlavorAccess', 'Private flavors, and the projects that may use them.'),
    ('os-flavor-extra-specs', 'FlavorExtraSpecs', 'What a flavor needs besides its size.'),
    ('os-flavor-manage', 'FlavorManage', 'Making and deleting flavors.'),
    ('os-flavor-rxtx', 'FlavorRxtx', 'The network factor of flavors.'),
    ('os-hypervisors', 'Hypervisors', 'Hosts with what they have and what is used.'),
    ('os-instance-actions', 'InstanceActions', 'What was done to a server, and how far it came.'),
    ('os-keypairs', 'Keypairs', 'Public keys that servers are given.'),
    ('os-lock-server', 'LockServer', 'Locking servers against changes.'),
    ('os-multiple-create', 'MultipleCreate', 'Several servers with one request.'),
    ('os-quota-class-sets', 'QuotaClasses', 'Default quotas.'),
    ('os-quota-sets', 'Quotas', 'Quotas of projects and users.'),
    ('os-scheduler-hints', 'SchedulerHints', 'Wishes about where a server runs.'),
    ('os-security-groups', 'SecurityGroups', 'The security groups of a server, to read.'),
    ('os-server-external-events', 'ServerExternalEvents', 'News of other services about a server.'),
    ('os-server-groups', 'ServerGroups', 'Servers that shall run together or apart.'),
    ('os-server-tags', 'ServerTags', 'Tags of servers.'),
    ('os-server-usage', 'ServerUsage', 'When a server was launched and ended.'),
    ('os-services', 'Services', 'The daemons of the controller.'),
    ('os-user-data', 'UserData', 'Data that a server reads when it first starts.'),
    ('server-metadata', 'ServerMetadata', 'What users note on a server.'),
    ('servers', 'Servers', 'Servers.'),
    ('versions', 'Versions', 'Versions of this API.'),
)


def _view(alias: str, name: str, description: str) -> dict[str, Any]:
    return {'alias': alias, 'name': name, 'description': description, 'links': [],
            'namespace': 'http://docs.openstack.org/compute/ext/fake_xml', 'updated': '2014-12-03T00:00:00Z'}


def index(call: Call) -> Any:
    """List the parts."""
    return {'extensions': [_view(*row) for row in _ROWS]}


def show(call: Call) -> Any:
    """Show one part."""
    for row in _ROWS:
        if row[0] == call.path['id']:
            return {'extension': _view(*row)}
    raise NotFound(f'Extension {call.path["id"]} could not be found.')


RESOURCE = Resource('extensions', (
    Op('GET', '/extensions', index, policy=policy.SEE),
    Op('GET', '/extensions/{id}', show, policy=policy.SEE),
))
