"""Operations that once were and answer 410, so that a client learns that the thing is gone and not that it mistyped.

A row is (method or ``ACTION``, path, from where on it is not even that: 404).
"""

from __future__ import annotations

from compute.rest.op import Op, Resource

_PROXIES_END = '2.36'
_DNS = '/os-floating-ip-dns'
_CELLS = '/os-cells'
_DEFAULT_RULES = '/os-security-group-default-rules'

_ROWS: tuple[tuple[str, str, str | None], ...] = (
    ('POST', '/os-certificates', None), ('GET', '/os-certificates/{id}', None),
    ('GET', '/os-cloudpipe', None), ('POST', '/os-cloudpipe', None), ('PUT', '/os-cloudpipe/{id}', None),
    ('GET', '/os-fixed-ips/{id}', _PROXIES_END),
    ('GET', _DNS, _PROXIES_END), ('PUT', _DNS + '/{id}', _PROXIES_END), ('DELETE', _DNS + '/{id}', _PROXIES_END),
    ('GET', _DNS + '/{domain_id}/entries/{id}', _PROXIES_END),
    ('PUT', _DNS + '/{domain_id}/entries/{id}', _PROXIES_END),
    ('DELETE', _DNS + '/{domain_id}/entries/{id}', _PROXIES_END),
    ('GET', '/os-floating-ips-bulk', _PROXIES_END), ('POST', '/os-floating-ips-bulk', _PROXIES_END),
    ('GET', '/os-floating-ips-bulk/{id}', _PROXIES_END), ('PUT', '/os-floating-ips-bulk/{id}', _PROXIES_END),
    ('GET', '/os-fping', _PROXIES_END), ('GET', '/os-fping/{id}', _PROXIES_END),
    ('GET', '/servers/{server_id}/os-virtual-interfaces', '2.44'),
    ('GET', _CELLS, None), ('POST', _CELLS, None), ('GET', _CELLS + '/capacities', None),
    ('GET', _CELLS + '/detail', None), ('GET', _CELLS + '/info', None), ('POST', _CELLS + '/sync_instances', None),
    ('GET', _CELLS + '/{id}', None), ('PUT', _CELLS + '/{id}', None), ('DELETE', _CELLS + '/{id}', None),
    ('GET', _CELLS + '/{id}/capacities', None),
    ('POST', '/os-networks', _PROXIES_END), ('POST', '/os-networks/add', _PROXIES_END),
    ('DELETE', '/os-networks/{id}', _PROXIES_END),
    ('GET', _DEFAULT_RULES, _PROXIES_END), ('POST', _DEFAULT_RULES, _PROXIES_END),
    ('GET', _DEFAULT_RULES + '/{id}', _PROXIES_END), ('DELETE', _DEFAULT_RULES + '/{id}', _PROXIES_END),
    ('POST', '/os-tenant-networks', _PROXIES_END), ('DELETE', '/os-tenant-networks/{id}', _PROXIES_END),
    ('GET', '/servers/{server_id}/consoles', None), ('POST', '/servers/{server_id}/consoles', None),
    ('GET', '/servers/{server_id}/consoles/{id}', None), ('DELETE', '/servers/{server_id}/consoles/{id}', None),
    ('GET', '/os-agents', None), ('POST', '/os-agents', None), ('PUT', '/os-agents/{id}', None),
    ('DELETE', '/os-agents/{id}', None),
)

_FIXED_IP_ACTIONS = ('reserve', 'unreserve')
_NETWORK_ACTIONS = ('disassociate', 'disassociate_host', 'disassociate_project', 'associate_host')
_SERVER_ACTIONS = (('resetNetwork', None), ('os-getRDPConsole', '2.6'))

RESOURCES = (
    Resource('removed', tuple(Op(method, path, until=until, gone=True) for method, path, until in _ROWS)),
    Resource('removed-fixed-ip-actions', tuple(
        Op('ACTION', key, until=_PROXIES_END, gone=True) for key in _FIXED_IP_ACTIONS),
        actions='/os-fixed-ips/{id}/action'),
    Resource('removed-network-actions', tuple(
        Op('ACTION', key, until=_PROXIES_END, gone=True) for key in _NETWORK_ACTIONS),
        actions='/os-networks/{id}/action'),
    Resource('removed-server-actions', tuple(
        Op('ACTION', key, until=until, gone=True) for key, until in _SERVER_ACTIONS),
        actions='/servers/{id}/action'),
)
