"""Operations that were removed and answer 410 at every version, so that a client learns that it did not mistype.

``os-getRDPConsole`` is 404 from 2.6 on, as the other actions that ``remote-consoles`` replaced.
"""

from __future__ import annotations

from compute.rest.op import Op, Resource

_DNS = '/os-floating-ip-dns'
_CELLS = '/os-cells'
_DEFAULT_RULES = '/os-security-group-default-rules'

_ROWS: tuple[tuple[str, str], ...] = (
    ('POST', '/os-certificates'), ('GET', '/os-certificates/{id}'),
    ('GET', '/os-cloudpipe'), ('POST', '/os-cloudpipe'), ('PUT', '/os-cloudpipe/{id}'),
    ('GET', '/os-fixed-ips/{id}'),
    ('GET', _DNS), ('PUT', _DNS + '/{id}'), ('DELETE', _DNS + '/{id}'),
    ('GET', _DNS + '/{domain_id}/entries/{id}'),
    ('PUT', _DNS + '/{domain_id}/entries/{id}'),
    ('DELETE', _DNS + '/{domain_id}/entries/{id}'),
    ('GET', '/os-floating-ips-bulk'), ('POST', '/os-floating-ips-bulk'),
    ('GET', '/os-floating-ips-bulk/{id}'), ('PUT', '/os-floating-ips-bulk/{id}'),
    ('GET', '/os-fping'), ('GET', '/os-fping/{id}'),
    ('GET', '/servers/{server_id}/os-virtual-interfaces'),
    ('GET', _CELLS), ('POST', _CELLS), ('GET', _CELLS + '/capacities'),
    ('GET', _CELLS + '/detail'), ('GET', _CELLS + '/info'), ('POST', _CELLS + '/sync_instances'),
    ('GET', _CELLS + '/{id}'), ('PUT', _CELLS + '/{id}'), ('DELETE', _CELLS + '/{id}'),
    ('GET', _CELLS + '/{id}/capacities'),
    ('POST', '/os-networks'), ('POST', '/os-networks/add'),
    ('DELETE', '/os-networks/{id}'),
    ('GET', _DEFAULT_RULES), ('POST', _DEFAULT_RULES),
    ('GET', _DEFAULT_RULES + '/{id}'), ('DELETE', _DEFAULT_RULES + '/{id}'),
    ('POST', '/os-tenant-networks'), ('DELETE', '/os-tenant-networks/{id}'),
    ('GET', '/servers/{server_id}/consoles'), ('POST', '/servers/{server_id}/consoles'),
    ('GET', '/servers/{server_id}/consoles/{id}'), ('DELETE', '/servers/{server_id}/consoles/{id}'),
    ('GET', '/os-agents'), ('POST', '/os-agents'), ('PUT', '/os-agents/{id}'),
    ('DELETE', '/os-agents/{id}'),
)

_FIXED_IP_ACTIONS = ('reserve', 'unreserve')
_NETWORK_ACTIONS = ('disassociate', 'disassociate_host', 'disassociate_project', 'associate_host')
_SERVER_ACTIONS = (('resetNetwork', None), ('os-getRDPConsole', '2.6'))

RESOURCES = (
    Resource('removed', tuple(Op(method, path, gone=True) for method, path in _ROWS)),
    Resource('removed-fixed-ip-actions', tuple(
        Op('ACTION', key, gone=True) for key in _FIXED_IP_ACTIONS),
        actions='/os-fixed-ips/{id}/action'),
    Resource('removed-network-actions', tuple(
        Op('ACTION', key, gone=True) for key in _NETWORK_ACTIONS),
        actions='/os-networks/{id}/action'),
    Resource('removed-server-actions', tuple(
        Op('ACTION', key, until=until, gone=True) for key, until in _SERVER_ACTIONS),
        actions='/servers/{id}/action'),
)
