"""What this API is and offers: versions, collections, extensions, availability zones, service providers."""

from __future__ import annotations

from typing import Any

from compute.exception import NotFound
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource

COLLECTIONS = ('networks', 'subnets', 'ports', 'security-groups', 'security-group-rules', 'agents', 'quotas',
               'extensions', 'availability_zones', 'service-providers', 'network-ip-availabilities',
               'auto-allocated-topology')

_EXTENSIONS = (
    ('agent', 'agent', 'Agents on hosts: list, show, enable, disable, delete.'),
    ('allowed-address-pairs', 'Allowed Address Pairs', 'Addresses that a port may use besides its own.'),
    ('auto-allocated-topology', 'Auto Allocated Topology Services', 'A network for projects that do not choose one.'),
    ('availability_zone', 'Availability Zone', 'The zone that agents are in.'),
    ('binding', 'Port Binding', 'On which host a port is, and how it is plugged there.'),
    ('dns-integration', 'DNS Integration', 'Names of ports, and the domain of a network.'),
    ('external-net', 'Neutron external network', 'Networks that lead outside.'),
    ('filter-validation', 'Filter parameters validation', 'Unknown filters of a list are refused.'),
    ('ip-substring-filtering', 'IP address substring filtering', 'Ports by a part of an address.'),
    ('net-mtu', 'Network MTU', 'The MTU of a network.'),
    ('net-mtu-writable', 'Network MTU (writable)', 'The MTU of a network can be set.'),
    ('network-ip-availability', 'Network IP Availability', 'How many addresses of a network are in use.'),
    ('network_availability_zone', 'Network Availability Zone', 'The zones that a network is in.'),
    ('pagination', 'Pagination support', 'Lists come in pages, by limit and marker.'),
    ('port-security', 'Port Security', 'Anti-spoofing and security groups can be switched off for a port.'),
    ('project-id', 'project_id field enabled', 'project_id means what tenant_id does.'),
    ('provider', 'Provider Network', 'How a network is made: local or flat.'),
    ('quota-check-limit', 'Quota engine limit check', 'A limit below the use can be refused.'),
    ('quota_details', 'Quota details management support', 'Limits with what is in use.'),
    ('quotas', 'Quota management support', 'Limits of projects.'),
    ('security-group', 'security-group', 'Groups of rules that let packets through.'),
    ('security-groups-normalized-cidr', 'Normalized CIDR field for security group rules',
     'The CIDR of a rule without host bits.'),
    ('security-groups-shared-filtering', 'Security group filtering on the shared field', 'Groups by shared.'),
    ('sorting', 'Sorting support', 'Lists are sorted by sort_key and sort_dir.'),
    ('standard-attr-description', 'standard-attr-description', 'Everything has a description.'),
    ('standard-attr-revisions', 'Resource revision numbers', 'Everything counts its changes.'),
    ('standard-attr-tag', 'Tag support for resources with standard attribute', 'Networks, subnets, ports and security '
     'groups have tags.'),
    ('standard-attr-timestamp', 'Resource timestamps', 'Everything has created_at and updated_at.'),
    ('subnet-external-network', 'Subnet of an external network', 'Subnets tell whether their network leads outside.'),
    ('tag-ports-during-bulk-creation', 'Tag Ports During Bulk Creation', 'Tags can be given with a new port.'),
)
_UPDATED = '2026-11-20T00:00:00-00:00'
EXTENSIONS = tuple({'alias': alias, 'name': name, 'description': text, 'updated': _UPDATED, 'links': []}
                   for alias, name, text in _EXTENSIONS)


def versions(call: Call) -> dict[str, Any]:
    """List the versions: there is one."""
    return {'versions': [{'id': 'v2.0', 'status': 'CURRENT',
                          'links': [{'rel': 'self', 'href': call.link('/v2.0/')}]}]}


def collections(call: Call) -> dict[str, Any]:
    """List the collections of this version."""
    return {'resources': [{'name': name.removesuffix('s').replace('-', '_'), 'collection': name.replace('-', '_'),
                           'links': [{'rel': 'self', 'href': call.link(f'/{name}')}]} for name in COLLECTIONS]}


def extensions(call: Call) -> dict[str, Any]:
    """List the extensions that are served."""
    return {'extensions': list(EXTENSIONS)}


def extension(call: Call) -> dict[str, Any]:
    """Show one extension. :raises NotFound:"""
    for found in EXTENSIONS:
        if found['alias'] == call.path['alias']:
            return {'extension': found}
    raise NotFound(f'Extension with alias {call.path["alias"]} does not exist', details={'type': 'ExtensionNotFound'})


def zones(call: Call) -> dict[str, Any]:
    """List the availability zones: the one of the options, for networks."""
    found = [{'name': call.app.options.availability_zone, 'resource': 'network', 'state': 'available'}]
    return {'availability_zones': [zone for zone in found if all(
        zone.get(name, value) == value for name, value in call.query.items() if name in zone)]}


def providers(call: Call) -> dict[str, Any]:
    """List service providers: there are none."""
    return {'service_providers': []}


_ANY = Query(fields(extra=True))
ROOT = Resource('versions', (Op('GET', '/', versions, public=True),))
RESOURCE = Resource('discovery', (
    Op('GET', '/', collections, public=True),
    Op('GET', '/extensions', extensions, 'get_extension', query=_ANY),
    Op('GET', '/extensions/{alias}', extension, 'get_extension', query=_ANY),
    Op('GET', '/availability_zones', zones, 'get_availability_zone', query=_ANY),
    Op('GET', '/service-providers', providers, 'get_service_provider', query=_ANY)))
