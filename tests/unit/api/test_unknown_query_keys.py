"""From which version on each operation that is read or deleted by refuses a query key that it does not know."""

from __future__ import annotations

import pytest

from compute.api.app import all_resources
from compute.api.history import HISTORY
from compute.exception import Invalid
from compute.rest.op import Op
from compute.rest.versions import OLDEST, Version

VERSIONS = [Version.of(version) for version, _ in HISTORY]
# Every GET and DELETE, by the first version that refuses unknown keys. An operation that ends before never does.
FIRST = {
    '2.53': {
        'GET /os-hypervisors',
        'GET /os-hypervisors/detail',
        'GET /os-hypervisors/{id}',
    },
    '2.58': {
        'GET /servers/{server_id}/os-instance-actions',
    },
    '2.59': {
        'GET /os-migrations',
    },
    '2.75': {
        'GET /limits',
        'GET /flavors',
        'GET /flavors/detail',
        'GET /os-keypairs',
        'GET /os-keypairs/{id}',
        'DELETE /os-keypairs/{id}',
        'GET /os-server-groups',
        'GET /os-quota-sets/{id}',
        'DELETE /os-quota-sets/{id}',
        'GET /os-quota-sets/{id}/detail',
        'GET /os-services',
        'GET /servers',
        'GET /servers/detail',
        'GET /servers/{server_id}/os-volume_attachments',
        'GET /os-volumes_boot',
        'GET /os-volumes_boot/detail',
    },
    '2.102': {
        'GET /extensions',
        'GET /extensions/{id}',
        'GET /os-availability-zone',
        'GET /os-availability-zone/detail',
        'GET /flavors/{id}',
        'DELETE /flavors/{id}',
        'GET /flavors/{id}/os-flavor-access',
        'GET /flavors/{id}/os-extra_specs',
        'GET /flavors/{id}/os-extra_specs/{key}',
        'DELETE /flavors/{id}/os-extra_specs/{key}',
        'GET /os-server-groups/{id}',
        'DELETE /os-server-groups/{id}',
        'GET /os-quota-sets/{id}/defaults',
        'GET /os-quota-class-sets/{id}',
        'DELETE /os-services/{id}',
        'GET /service-health',
        'GET /os-aggregates',
        'GET /os-hypervisors/statistics',
        'GET /os-hypervisors/{id}/search',
        'GET /os-hypervisors/{id}/servers',
        'GET /os-hypervisors/{id}/uptime',
        'GET /servers/{server_id}/os-instance-actions/{request_id}',
        'GET /servers/{server_id}/operations',
        'GET /servers/{server_id}/operations/{operation_id}',
        'GET /operations',
        'GET /servers/{server_id}/migrations',
        'GET /servers/{server_id}/migrations/{migration_id}',
        'GET /audit',
        'GET /servers/{id}',
        'DELETE /servers/{id}',
        'GET /servers/{server_id}/metadata',
        'GET /servers/{server_id}/metadata/{key}',
        'DELETE /servers/{server_id}/metadata/{key}',
        'GET /servers/{server_id}/tags',
        'DELETE /servers/{server_id}/tags',
        'GET /servers/{server_id}/tags/{tag}',
        'DELETE /servers/{server_id}/tags/{tag}',
        'GET /servers/{server_id}/ips',
        'GET /servers/{server_id}/ips/{label}',
        'GET /servers/{server_id}/os-security-groups',
        'GET /servers/{server_id}/os-interface',
        'GET /servers/{server_id}/os-interface/{port_id}',
        'GET /servers/{server_id}/os-volume_attachments/{volume_id}',
        'GET /os-volumes_boot/{id}',
        'DELETE /os-volumes_boot/{id}',
    },
}
OPS = {f'{op.method} {op.path}': op for resource in all_resources() for op in resource.ops
       if op.method in ('GET', 'DELETE') and op.handler is not None and not op.public}
ROWS = [(Version.of(first), name) for first, names in FIRST.items() for name in sorted(names)]


def test_the_table_lists_every_operation() -> None:
    assert sorted(OPS) == sorted(name for _, name in ROWS)


def refuses(op: Op, version: Version) -> bool:
    assert op.query is not None
    try:
        assert op.query.read(version, [('zz', '1')]) == {}
    except Invalid as error:
        assert 'zz' in error.message
        return True
    return False


@pytest.mark.parametrize(('first', 'name'), ROWS, ids=[name for _, name in ROWS])
def test_unknown_keys_are_refused_from_their_version_on(first: Version, name: str) -> None:
    op = OPS[name]
    for version in VERSIONS:
        assert refuses(op, version) is (version >= first), f'{name} at {version}'
    assert not refuses(op, OLDEST)


def test_changes_refuse_them_from_2_102() -> None:
    """Quotas of a project are the exception: their query names the user."""
    changing = [op for resource in all_resources() for op in resource.ops
                if op.method in ('POST', 'PUT', 'ACTION') and op.handler is not None]
    assert {str(op.query.strict.since) for op in changing if op.query and op.query.strict
            and (op.method, op.path) != ('PUT', '/os-quota-sets/{id}')} == {'2.102'}
    assert all(op.query for op in changing)
