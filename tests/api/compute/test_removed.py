"""Operations that Nova removed: 410 at every version."""

from __future__ import annotations

import pytest

from compute.api.history import HISTORY
from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi

OPERATIONS = """
POST /os-certificates
GET /os-certificates/x
GET POST /os-cloudpipe
PUT /os-cloudpipe/x
GET /os-fixed-ips/x
GET /os-floating-ip-dns
PUT DELETE /os-floating-ip-dns/x
GET PUT DELETE /os-floating-ip-dns/x/entries/y
GET POST /os-floating-ips-bulk
GET PUT /os-floating-ips-bulk/x
GET /os-fping
GET /os-fping/x
GET /servers/x/os-virtual-interfaces
GET POST /os-cells
GET /os-cells/capacities
GET /os-cells/detail
GET /os-cells/info
POST /os-cells/sync_instances
GET PUT DELETE /os-cells/x
GET /os-cells/x/capacities
POST /os-networks
POST /os-networks/add
DELETE /os-networks/x
GET POST /os-security-group-default-rules
GET DELETE /os-security-group-default-rules/x
POST /os-tenant-networks
DELETE /os-tenant-networks/x
GET POST /servers/x/consoles
GET DELETE /servers/x/consoles/y
GET POST /os-agents
PUT DELETE /os-agents/x
"""
PLAIN = [(method, line.split()[-1]) for line in OPERATIONS.split('\n') if line for method in line.split()[:-1]]
ACTIONS = [('/os-fixed-ips/x/action', key) for key in ('reserve', 'unreserve')] + [
    ('/os-networks/x/action', key) for key in (
        'disassociate', 'disassociate_host', 'disassociate_project', 'associate_host')] + [
    ('/servers/x/action', 'resetNetwork')]


def test_there_are_as_many_as_in_nova() -> None:
    assert len(PLAIN) + len(ACTIONS) + 1 == 54  # the one is os-getRDPConsole


@pytest.mark.parametrize('version', [version for version, _ in HISTORY])
def test_they_are_gone_at_every_version(api: ComputeApi, version: str) -> None:
    for method, path in PLAIN:
        answer = api(method, path, version=version, token=MEMBER, status=410)
        assert answer['computeFault']['code'] == 410
    for path, key in ACTIONS:
        api('POST', path, {key: None}, version=version, status=410)


@pytest.mark.parametrize('prefix', ['/v2', '/v2/p0', '/v2.1', '/v2.1/p0'])
def test_they_are_gone_under_every_prefix(api: ComputeApi, prefix: str) -> None:
    project = '0' * 32
    for method, path in PLAIN:
        assert api.send(method, f'{prefix.replace("p0", project)}{path}', token=f'root:{project}:admin'
                        ).status_int == 410
    assert api.send('GET', f'{prefix}/os-agents', token=None).status_int == 401


@pytest.mark.parametrize(('version', 'status'), [('2.5', 410), ('2.6', 404)])
def test_the_console_of_another_hypervisor(api: ComputeApi, version: str, status: int) -> None:
    api('POST', '/servers/x/action', {'os-getRDPConsole': {}}, version=version, status=status)


@pytest.mark.parametrize(('method', 'path'), [('PUT', '/os-cells'), ('GET', '/os-certificates'), ('PUT', '/os-fping')])
def test_another_method_was_never_there(api: ComputeApi, method: str, path: str) -> None:
    api(method, path, token=ADMIN, status=404)
