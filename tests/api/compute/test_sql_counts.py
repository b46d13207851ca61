"""What reads cost in SQL: a page of servers is one query, and no request reads a row twice, whatever its length."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.api.compute.compute_cloud import ADMIN, MEMBER, ComputeApi
from tests.api.compute.serving import Servers

SERVER = '/servers/{server}'
# path: statements for a member and for an administrator; None where it is not for members.
COUNTS: dict[str, tuple[int | None, int]] = {
    '/servers': (1, 1), '/servers/detail': (1, 1), '/servers?limit=1': (1, 1),
    '/servers/detail?all_tenants=1': (None, 1), '/servers/detail?limit=1&marker={server}': (1, 1),
    '/servers/detail?status=ACTIVE&ip=10&name=vm': (1, 1),
    SERVER: (1, 2),  # an administrator sees how the host is doing, which is another row
    f'{SERVER}/ips': (1, 1), f'{SERVER}/metadata': (1, 1), f'{SERVER}/tags': (1, 1),
    f'{SERVER}/os-interface': (1, 1), f'{SERVER}/os-security-groups': (1, 1),
    f'{SERVER}/os-instance-actions': (2, 2),
    '/flavors': (1, 1), '/flavors/detail': (1, 1), '/flavors/{flavor}': (1, 1),
    '/flavors/{flavor}/os-extra_specs': (1, 1), '/os-keypairs': (1, 1), '/os-availability-zone': (1, 1),
    '/os-server-groups': (2, 1),  # groups, and all their members; the administrator's project has none
    '/limits': (3, 3), '/os-quota-sets/p1': (1, 1), '/os-services': (None, 1), '/os-hypervisors': (None, 1),
    '/os-hypervisors/detail': (None, 2),  # hosts, and what goes on there
}


@pytest.fixture
def statements(api: ComputeApi) -> Iterator[list[str]]:
    """What was sent to the store, by either of its engines."""
    found: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        found.append(statement)
    engines = {id(engine): engine for engine in (api.db.engine, api.db._reader)}.values()
    for engine in engines:
        sa.event.listen(engine, 'before_cursor_execute', note)
    yield found
    for engine in engines:
        sa.event.remove(engine, 'before_cursor_execute', note)


def test_reads_are_few(api: ComputeApi, servers: Servers, statements: list[str]) -> None:
    """The numbers are those of one server and of many: nothing is read in a loop."""
    api.add_host('h1')
    api('POST', '/os-server-groups', {'server_group': {'name': 'g', 'policies': ['affinity']}}, status=200)
    wrong = []
    for number in range(3):
        made = [servers.insert(project_id=project).uuid for project in ('p1', 'p0')]
        for path, counts in COUNTS.items():
            for token, server, wanted in ((MEMBER, made[0], counts[0]), (ADMIN, made[1], counts[1])):
                if wanted is None or ('marker' in path and number == 0):
                    continue
                statements.clear()
                api('GET', path.format(server=server, flavor=servers.flavor), version='2.87', token=token, status=200)
                if len(statements) != wanted:
                    wrong.append(f'{path} as {token}: {len(statements)} statements, not {wanted}: {statements}')
    assert not wrong, '\n'.join(wrong)


def test_the_last_page_is_empty_and_an_unknown_marker_is_refused(api: ComputeApi, servers: Servers) -> None:
    """Both look the same to the query; a second one tells them apart."""
    first = servers.insert().uuid
    assert api('GET', f'/servers?marker={first}', status=200)['servers'] == []
    for sort in ('', '&sort_key=host', '&sort_key=display_name&sort_dir=asc'):
        answer = api('GET', f'/servers?marker=5c1e8a0e-4b52-4c8e-a4be-24f3e2f2f6b1{sort}', token=ADMIN,
                     status=400)
        assert 'not found' in answer['badRequest']['message']


def test_host_status_comes_with_the_page(api: ComputeApi, servers: Servers) -> None:
    """From the service of each server's host; a server without a host has none."""
    api.add_host('h1')
    there, nowhere, lost = (servers.insert(host=host).uuid for host in ('h1', None, 'h2'))
    listed = api('GET', '/servers/detail?all_tenants=1', version='2.87', token=ADMIN, status=200)['servers']
    shown = {server['id']: server['host_status'] for server in listed}
    assert shown == {there: 'UP', nowhere: '', lost: 'UNKNOWN'}
