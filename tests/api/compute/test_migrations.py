"""Lists of migrations: filters, pages, versions and rights; the live ones of a server."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

import pytest

from compute.db import instances, migrations
from compute.db.tables import migrations as table
from compute.objects.flavor import Flavor
from compute.objects.migration import Migration
from tests.api.compute.compute_cloud import ADMIN, MANAGER, MEMBER, NOBODY, OTHER, READER
from tests.api.compute.serving import LATEST, Servers, message

OLD, NEW = (Flavor(id=number, flavorid=str(number), name='f', vcpus=1, memory_mb=64) for number in (3, 4))
FOREIGN = 'zoe:p2:manager,member,reader'
HOSTS = ('source_compute', 'source_node', 'dest_compute', 'dest_node', 'dest_host')


class Moves:
    """Puts migrations into the store, and reads their list."""

    def __init__(self, servers: Servers) -> None:
        self.servers, self.key = servers, servers.insert().uuid

    def add(self, **values: Any) -> Migration:
        made = Migration(**{
            'uuid': str(uuid.uuid4()), 'instance_uuid': self.key, 'project_id': 'p1', 'user_id': 'ann',
            'operation_id': 0, 'type': 'migration', 'status': 'finished', 'source_host': 'h1', 'source_node': 'n1',
            'dest_host': 'h2', 'dest_node': 'n2', 'dest_ip': '192.0.2.2', 'old_flavor': OLD, 'new_flavor': NEW,
            'old_vm_state': 'active', **values})

        def write(connection: Any) -> Migration | None:
            number = migrations.insert(connection, made)
            if times := {name: values[name] for name in ('created_at', 'updated_at') if name in values}:
                connection.execute(table.update().where(table.c.id == number).values(times))
            return migrations.find(connection, made.instance_uuid, number)
        found = self.servers.api.db.transaction(write)
        assert found is not None
        return found

    def list(self, query: str = '', *, token: str = ADMIN, version: str = LATEST, status: int = 200) -> Any:
        return self.servers.api('GET', f'/os-migrations{query}', token=token, version=version, status=status)

    def uuids(self, query: str = '', **more: Any) -> list[str]:
        return [each['uuid'] for each in self.list(query, **more)['migrations']]


@pytest.fixture
def moves(servers: Servers) -> Moves:
    return Moves(servers)


def test_what_is_shown(moves: Moves) -> None:
    made = moves.add()
    shown, = moves.list()['migrations']
    assert datetime.datetime.fromisoformat(shown.pop('created_at')) <= datetime.datetime.fromisoformat(
        shown.pop('updated_at'))
    assert shown == {
        'id': made.id, 'uuid': made.uuid, 'status': 'finished', 'migration_type': 'migration',
        'instance_uuid': moves.key, 'old_instance_type_id': 3, 'new_instance_type_id': 4, 'user_id': 'ann',
        'project_id': 'p1', 'source_compute': 'h1', 'source_node': 'n1', 'dest_compute': 'h2', 'dest_node': 'n2',
        'dest_host': '192.0.2.2'}


@pytest.mark.parametrize(('version', 'lacks'), [
    ('2.1', {'uuid', 'migration_type', 'user_id', 'project_id'}), ('2.22', {'uuid', 'migration_type', 'user_id',
                                                                            'project_id'}),
    ('2.23', {'uuid', 'user_id', 'project_id'}), ('2.58', {'uuid', 'user_id', 'project_id'}),
    ('2.59', {'user_id', 'project_id'}), ('2.79', {'user_id', 'project_id'}), ('2.80', set())])
def test_by_version(moves: Moves, version: str, lacks: set[str]) -> None:
    moves.add()
    whole, = moves.list()['migrations']
    shown, = moves.list(version=version)['migrations']
    assert whole.keys() - shown.keys() == lacks and 'links' not in shown


@pytest.mark.parametrize('status', ['queued', 'preparing', 'running', 'post-migrating'])
def test_a_live_migration_in_progress_has_links(moves: Moves, status: str) -> None:
    made = moves.add(type='live-migration', status=status)
    shown, = moves.list()['migrations']
    assert [link['rel'] for link in shown['links']] == ['self', 'bookmark']
    assert shown['links'][0]['href'].endswith(f'/servers/{moves.key}/migrations/{made.id}')
    assert 'links' not in moves.list(version='2.22')['migrations'][0]


def test_filters(moves: Moves) -> None:
    other = moves.servers.insert().uuid
    first, second, third = (moves.add(), moves.add(type='resize', status='confirmed', source_host='h3', user_id='bob'),
                            moves.add(instance_uuid=other, project_id='p2', dest_host='h3', status='error'))
    assert moves.uuids() == [third.uuid, second.uuid, first.uuid], 'newest first'
    for query, found in (
            ('?status=confirmed', [second]), ('?migration_type=migration', [third, first]),
            (f'?instance_uuid={other}', [third]), ('?host=h3', [third, second]), ('?source_compute=h3', [second]),
            ('?user_id=bob', [second]), ('?project_id=p2', [third]), ('?status=nothing', []), ('?hidden=0', None),
            ('?hidden=true', [])):
        expected = [third, second, first] if found is None else found
        assert moves.uuids(query) == [each.uuid for each in expected], query


def test_pages(moves: Moves) -> None:
    made = [moves.add().uuid for _ in range(5)][::-1]
    found = moves.list('?limit=2')
    assert [each['uuid'] for each in found['migrations']] == made[:2]
    seen = made[:2]
    while links := found.get('migrations_links'):
        found = moves.servers.api('GET', links[0]['href'].removeprefix('http://localhost'), prefix='', token=ADMIN,
                                  version=LATEST, status=200)
        seen += [each['uuid'] for each in found['migrations']]
    assert seen == made
    assert moves.uuids(f'?marker={made[3]}') == made[4:]
    moves.list(f'?marker={uuid.uuid4()}', status=400)
    moves.list('?marker=x', status=400)
    assert len(moves.list('?limit=2', version='2.58')['migrations']) == 5, 'there are no pages yet'
    assert 'migrations_links' not in moves.list(version='2.58')


def test_by_time(moves: Moves) -> None:
    days = [datetime.datetime(2026, 11, day) for day in (1, 2, 3)]
    made = [moves.add(updated_at=day, created_at=day).uuid for day in days]
    assert moves.uuids('?changes-since=2026-11-02T00:00:00Z') == made[:0:-1]
    assert moves.uuids('?changes-before=2026-11-02T00:00:00Z') == made[1::-1]
    assert moves.uuids('?changes-since=2026-11-02T00:00:00Z&changes-before=2026-11-02T12:00:00Z') == [made[1]]
    words = message(moves.list('?changes-since=2026-11-03T00:00:00Z&changes-before=2026-11-02T00:00:00Z', status=400))
    assert 'changes-since' in words
    moves.list('?changes-since=soon', status=400)
    moves.list('?changes-before=2026-11-02T00:00:00Z', version='2.65', status=400)


@pytest.mark.parametrize(('query', 'since'), [('limit=1', '2.59'), ('user_id=ann', '2.80'), ('project_id=p1', '2.80')])
def test_keys_before_their_version(moves: Moves, query: str, since: str) -> None:
    before = '2.58' if since == '2.59' else '2.79'
    moves.list(f'?{query}', version=before, status=200 if since == '2.59' else 400)
    moves.list(f'?{query}', version=since)
    moves.list('?nonsense=1', version='2.58')
    moves.list('?nonsense=1', version='2.59', status=400)


def test_who_may_list(moves: Moves) -> None:
    mine, foreign = moves.add().uuid, moves.add(project_id='p2').uuid
    for token in (MEMBER, READER, NOBODY, OTHER):
        moves.list(token=token, status=403)
    assert moves.uuids(token=ADMIN) == [foreign, mine]
    assert moves.uuids(token=MANAGER) == [mine] and moves.uuids(token=FOREIGN) == [foreign]
    assert moves.uuids('?project_id=p1', token=MANAGER) == [mine]
    moves.list('?project_id=p2', token=MANAGER, status=403)


def test_managers_do_not_see_hosts(moves: Moves) -> None:
    moves.add()
    shown, = moves.list(token=MANAGER)['migrations']
    assert {shown[name] for name in HOSTS} == {None}
    for query in ('?host=h1', '?source_compute=h1'):
        moves.list(query, token=MANAGER, status=403)


# -- those of a server --

def test_of_a_server_only_live_ones_in_progress(moves: Moves) -> None:
    moves.add()
    moves.add(type='live-migration', status='completed')
    live = moves.add(type='live-migration', status='running', bytes_total=100, bytes_done=40)
    api, path = moves.servers.api, f'/servers/{moves.key}/migrations'
    listed, = api('GET', path, version=LATEST, token=ADMIN, status=200)['migrations']
    shown = api('GET', f'{path}/{live.id}', version=LATEST, token=ADMIN, status=200)['migration']
    assert listed == shown and (shown['id'], shown['server_uuid'], shown['uuid']) == (live.id, moves.key, live.uuid)
    assert [shown[f'disk_{part}_bytes'] for part in ('total', 'processed', 'remaining')] == [100, 40, 60]
    assert (shown['source_compute'], shown['dest_host']) == ('h1', '192.0.2.2')
    for missing in (live.id - 1, live.id + 1, 'x', '9' * 30):
        api('GET', f'{path}/{missing}', version=LATEST, token=ADMIN, status=404)


def test_of_a_server_by_version_and_right(moves: Moves) -> None:
    live = moves.add(type='live-migration', status='running')
    api, path = moves.servers.api, f'/servers/{moves.key}/migrations'
    api('GET', path, version='2.22', token=ADMIN, status=404)
    whole = api('GET', f'{path}/{live.id}', version='2.80', token=ADMIN, status=200)['migration']
    for version, lacks in (('2.23', {'uuid', 'user_id', 'project_id'}), ('2.59', {'user_id', 'project_id'})):
        old = api('GET', f'{path}/{live.id}', version=version, token=ADMIN, status=200)['migration']
        assert whole.keys() - old.keys() == lacks
    shown, = api('GET', path, version=LATEST, token=MANAGER, status=200)['migrations']
    assert {shown[name] for name in HOSTS} == {None}
    for token, status in ((MEMBER, 403), (READER, 403), (FOREIGN, 404)):
        api('GET', path, version=LATEST, token=token, status=status)
    api('GET', f'{path}/{live.id}', version=LATEST, token=MANAGER, status=403)


def test_of_a_server_that_is_gone(moves: Moves) -> None:
    moves.add()
    moves.servers.api.db.transaction(lambda connection: instances.mark_deleted(connection, moves.key))
    moves.servers.api('GET', f'/servers/{moves.key}/migrations', version=LATEST, token=ADMIN, status=404)
    assert len(moves.uuids()) == 1, 'they are kept for administrators'
