"""Operations as the ledger has them: what users see of their own, and what operators see of all."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from compute.db import instances, operations, tables
from compute.objects.operation import CANCELLED, DONE, FAILED, Operation, OperationError
from compute.objects.value import now
from tests.api.compute.compute_cloud import ADMIN, MEMBER, OTHER, READER
from tests.api.compute.serving import Servers

ERROR = OperationError(code='disk_full', message='no room below /var/lib/disks', retryable=True, stage='spawning',
                       hint='send it again', details={'free': 0})


class Ledger:
    """Puts operations into the ledger, and reads what the API shows of them."""

    def __init__(self, servers: Servers) -> None:
        self.servers, self.uuid = servers, servers.insert().uuid

    def open(self, kind: str = 'create', *stages: str, uuid: str | None = None, age: float = 0, **values: Any) -> int:
        """Open one that came to the last of ``stages`` on host h1; return its id."""
        time = now()
        def write(connection: Any) -> int:
            opened = operations.insert(connection, Operation(
                request_id='req-1', kind=kind, instance_uuid=uuid or self.uuid, project_id='p1', user_id='ann',
                args={'admin_pass': 'swordfish'}, host='h1', deadline_at=time + datetime.timedelta(hours=1)))
            if stages:
                operations.lease(connection, opened.id, 'nova-compute@h1', 'the-first', 30)
            for stage in stages:
                operations.begin_stage(connection, operations.get(connection, opened.id), stage, 'h1')
            made = {'created_at': time - datetime.timedelta(seconds=age), **values}
            connection.execute(tables.operations.update().where(tables.operations.c.id == opened.id).values(made))
            return opened.id
        return self.servers.api.db.transaction(write)

    def end(self, number: int, state: str, error: OperationError | None = None) -> None:
        """End it."""
        self.servers.api.db.transaction(
            lambda connection: operations.end(connection, operations.get(connection, number), state, error))

    def get(self, path: str = '', token: str = MEMBER, status: int = 200, version: str | None = None) -> Any:
        """Read from the server's operations."""
        return self.servers.api('GET', f'/servers/{self.uuid}/operations{path}', token=token, status=status,
                                version=version)

    def all(self, query: str = '', token: str = ADMIN, status: int = 200) -> Any:
        """Return the ids of a list of all, or the refusal."""
        found = self.servers.api('GET', f'/operations{query}', token=token, status=status)
        return [each['id'] for each in found['operations']] if status == 200 else found


@pytest.fixture
def ledger(servers: Servers) -> Ledger:
    return Ledger(servers)


def test_what_goes_on_with_a_server(ledger: Ledger) -> None:
    number = ledger.open('create', 'scheduling', 'networking', 'block_device_mapping')
    shown = ledger.get()['operations'][0]
    assert (shown['id'], shown['kind'], shown['state'], shown['stage']) == (
        number, 'create', 'running', 'block_device_mapping')
    assert shown['progress'] == {'stages_done': 2, 'stages': 4, 'percent': 50}
    assert shown['deadline_at'] > shown['created_at'] and shown['finished_at'] is None and shown['error'] is None
    assert datetime.datetime.fromisoformat(shown['started_at']).tzinfo is not None
    assert not {'host', 'owner', 'incarnation', 'lease_until', 'args', 'stages'} & shown.keys()
    assert len(shown['host_id']) == 56
    assert 'swordfish' not in str(ledger.get(f'/{number}', ADMIN))


def test_an_operation_with_its_stages(ledger: Ledger) -> None:
    number = ledger.open('create', 'networking', 'spawning')
    ledger.end(number, FAILED, ERROR)
    shown = ledger.get(f'/{number}')['operation']
    told = {'code': 'disk_full', 'message': 'The disk of the host is full.', 'retryable': True, 'stage': 'spawning',
            'hint': 'Free space on it; new servers go to other hosts.'}
    assert shown['error'] == told
    details = {'free': 0, 'message': 'no room below /var/lib/disks', 'hint': 'send it again'}
    for path in (f'/{number}', ''):
        found = ledger.get(path, ADMIN)
        assert (found['operation'] if path else found['operations'][0])['error'] == {**told, 'details': details}
    assert [(stage['name'], stage['result'], stage['seconds'] >= 0) for stage in shown['stages']] == [
        ('networking', 'success', True), ('spawning', 'error', True)]
    assert not {'host', 'details'} & shown['stages'][0].keys()
    assert shown['progress']['percent'] == 75 and shown['state'] == 'failed'


def test_names_of_hosts_and_owners_are_for_administrators(ledger: Ledger) -> None:
    number = ledger.open('create', 'spawning')
    listed, shown = ledger.get('', ADMIN)['operations'][0], ledger.get(f'/{number}', ADMIN)['operation']
    for each in (listed, shown):
        assert (each['host'], each['owner'], each['incarnation']) == ('h1', 'nova-compute@h1', 'the-first')
        assert each['lease_until'] > each['started_at']
    assert shown['stages'][0]['host'] == 'h1' and shown['stages'][0]['details'] is None


@pytest.mark.parametrize(('kind', 'stages', 'state', 'percent'), [
    ('create', (), None, 0), ('create', ('scheduling',), None, 0), ('create', ('spawning',), None, 75),
    ('create', ('spawning',), DONE, 100), ('reboot', ('rebooting_hard',), None, 50),
    ('reboot_hard', ('reboot_started_hard',), None, 50), ('lock', (), DONE, 100), ('of_a_later_release', (), None, 0),
    ('stop', ('powering_off',), CANCELLED, 0)])
def test_progress(ledger: Ledger, kind: str, stages: tuple[str, ...], state: str | None, percent: int) -> None:
    number = ledger.open(kind, *stages)
    if state:
        ledger.end(number, state)
    assert ledger.get()['operations'][0]['progress']['percent'] == percent


def test_pages_and_filters_of_a_servers_operations(ledger: Ledger) -> None:
    numbers = [ledger.open(kind) for kind in ('create', 'stop', 'start')]
    ledger.end(numbers[0], DONE)
    assert [each['id'] for each in ledger.get()['operations']] == numbers[::-1]
    first = ledger.get('?limit=2')
    assert [each['id'] for each in first['operations']] == numbers[:0:-1]
    path = first['operations_links'][0]['href'].removeprefix('http://localhost')
    rest = ledger.servers.api('GET', path, prefix='', status=200)
    assert [each['id'] for each in rest['operations']] == numbers[:1] and 'operations_links' not in rest
    assert [each['id'] for each in ledger.get('?state=open')['operations']] == numbers[:0:-1]
    assert [each['id'] for each in ledger.get('?state=done')['operations']] == numbers[:1]
    assert [each['id'] for each in ledger.get('?kind=stop')['operations']] == numbers[1:2]
    assert ledger.get('?limit=0') == {'operations': []}
    for wrong in ('?state=lost', '?marker=x', '?limit=x'):
        ledger.get(wrong, status=400)


def test_what_is_undone_is_open_and_says_why(ledger: Ledger) -> None:
    number = ledger.open('migrate', 'resize_migrating', 'resize_finish', leg=1, state='undoing', error=vars(ERROR))
    for found in (ledger.get('?state=open'), ledger.get('?state=undoing')):
        operation, = found['operations']
        assert (operation['id'], operation['state'], operation['error']['code']) == (number, 'undoing', 'disk_full')
    assert ledger.get('?state=failed')['operations'] == ledger.get('?state=running')['operations'] == []
    assert ledger.all() == ledger.all('?state=undoing') == [number]


def test_whose_operations(ledger: Ledger) -> None:
    number, other = ledger.open(), ledger.open(uuid=ledger.servers.insert().uuid)
    ledger.get(token=OTHER, status=404)
    ledger.get(token=READER)
    ledger.get(f'/{number}', token=OTHER, status=404)
    for missing in (str(other), '0', 'x', '9' * 30):
        ledger.get(f'/{missing}', status=404)


def test_operations_of_a_server_that_is_gone(ledger: Ledger) -> None:
    number = ledger.open('delete')
    ledger.servers.api.db.transaction(lambda connection: instances.mark_deleted(connection, ledger.uuid))
    assert ledger.get(f'/{number}', version='2.1')['operation']['kind'] == 'delete'


def test_what_hangs(ledger: Ledger) -> None:
    old, new = ledger.open('create', 'spawning', age=900), ledger.open('stop', host='h2')
    done = ledger.open('start', age=900)
    ledger.end(done, DONE)
    assert ledger.all() == [old, new]
    assert ledger.all('?older_than=600') == [old] and ledger.all('?older_than=1000') == []
    assert ledger.all('?host=h2') == [new] and ledger.all('?kind=create') == [old]
    assert ledger.all('?state=running') == [old] and ledger.all('?state=queued') == [new]
    assert ledger.all('?state=done') == [done] and ledger.all(f'?marker={old}&limit=1') == [new]
    ledger.all(token=MEMBER, status=403)
    for wrong in ('soon', '-1', '99999999999', '9' * 5000):
        assert 'older_than' in str(ledger.all(f'?older_than={wrong}', status=400))
    assert ledger.all('?older_than=9999999999') == []
