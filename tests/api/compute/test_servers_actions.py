"""What is done to servers: DELETE, and POST /servers/{id}/action."""

from __future__ import annotations

from typing import Any

import pytest

from compute.api.servers import actions
from compute.exception import NotFound, RpcTimeout, Unavailable
from compute.objects.operation import CANCELLED, QUEUED
from tests.api.compute.compute_cloud import ADMIN, MANAGER, MEMBER, NOBODY, OTHER, READER
from tests.api.compute.serving import LATEST, Servers, message

ACTIONS = ('os-start', 'os-stop', 'reboot', 'pause', 'unpause', 'suspend', 'resume', 'resize', 'confirmResize',
           'revertResize', 'migrate', 'forceDelete', 'lock', 'unlock')
STATUS = {'confirmResize': 204}
TOKEN = {'migrate': MANAGER}
each_action = pytest.mark.parametrize('action', ACTIONS)


def test_every_action_is_in_the_table() -> None:
    assert {op.path for op in actions.ACTIONS} == {*ACTIONS, 'os-getConsoleOutput'}


@each_action
@pytest.mark.parametrize('version', ['2.1', LATEST])
def test_accepted(servers: Servers, action: str, version: str) -> None:
    key = servers.ready(action)
    answer = servers.api.send('POST', f'/v2.1/servers/{key}/action', {action: servers.value(action)}, version=version,
                              token=TOKEN.get(action, MEMBER))
    assert (answer.status_int, answer.body) == (STATUS.get(action, 202), b'')


@each_action
def test_who_may(servers: Servers, action: str) -> None:
    key, value = servers.ready(action), servers.value(action)
    refused = [(READER, 403), (NOBODY, 403), (OTHER, 404), *([(MEMBER, 403)] if action in TOKEN else [])]
    for token, status in (*refused, (ADMIN, STATUS.get(action, 202))):
        servers.act(key, action, value, token=token, status=status)
    assert 'Policy' in message(servers.act(key, action, value, token=READER, status=403))


@each_action
def test_a_locked_server_obeys_administrators_only(servers: Servers, action: str) -> None:
    if action in ('lock', 'unlock'):
        return
    key, value = servers.ready(action, locked=True), servers.value(action)
    assert 'locked' in message(servers.act(key, action, value, token=TOKEN.get(action, MEMBER), status=409))
    servers.act(key, action, value, token=ADMIN, status=STATUS.get(action, 202))


@pytest.mark.parametrize(('action', 'value', 'vm_state', 'kind', 'task_state', 'status'), [
    ('os-start', None, 'stopped', 'start', 'powering-on', 'SHUTOFF'),
    ('os-stop', None, 'active', 'stop', 'powering-off', 'ACTIVE'),
    ('reboot', {'type': 'soft'}, 'active', 'reboot', 'rebooting', 'REBOOT'),
    ('reboot', {'type': 'HARD'}, 'active', 'reboot_hard', 'rebooting_hard', 'HARD_REBOOT'),
    ('reboot', {'type': 'HARD'}, 'paused', 'reboot_hard', 'rebooting_hard', 'PAUSED'),
    ('reboot', {'type': 'HARD'}, 'suspended', 'reboot_hard', 'rebooting_hard', 'SUSPENDED'),
    ('pause', None, 'active', 'pause', 'pausing', 'ACTIVE'),
    ('unpause', None, 'paused', 'unpause', 'unpausing', 'PAUSED'),
    ('suspend', None, 'active', 'suspend', 'suspending', 'ACTIVE'),
    ('resume', None, 'suspended', 'resume', 'resuming', 'SUSPENDED')])
def test_what_is_written_and_sent(servers: Servers, action: str, value: Any, vm_state: str, kind: str, task_state: str,
                                  status: str) -> None:
    key = servers.insert(vm_state=vm_state).uuid
    servers.act(key, action, value)
    operation, = servers.operations(key)
    assert servers.api.rpc.sent == servers.api.rpc.begun(kind) and len(servers.api.rpc.sent) == 1
    sent, = servers.api.rpc.sent
    assert (sent.server, sent.arguments) == (
        'h1', {'operation_id': operation.id, 'kind': kind, 'instance_uuid': key}), 'the row has the rest'
    shown = servers.show(key)
    assert (shown['OS-EXT-STS:task_state'], shown['status']) == (task_state, status)
    assert (operation.kind, operation.host, operation.args, operation.plan) == (kind, 'h1', {}, {})
    actions = servers.api('GET', f'/servers/{key}/os-instance-actions')['instanceActions']
    assert [each['action'] for each in actions] == [kind.removesuffix('_hard')], 'users know one reboot'


@pytest.mark.parametrize(('action', 'value', 'state', 'words'), [
    ('os-start', None, {'vm_state': 'active'}, 'vm_state active'),
    ('os-stop', None, {'vm_state': 'stopped'}, 'vm_state stopped'),
    ('os-stop', None, {'task_state': 'rebooting'}, 'task_state rebooting'),
    ('os-stop', None, {'vm_state': 'error', 'host': None}, 'no host'),
    ('os-stop', None, {'vm_state': 'error', 'launched_at': None}, 'launched'),
    ('reboot', {'type': 'SOFT'}, {'vm_state': 'stopped'}, 'vm_state stopped'),
    ('reboot', {'type': 'SOFT'}, {'task_state': 'rebooting'}, 'task_state rebooting'),
    ('reboot', {'type': 'HARD'}, {'vm_state': 'building'}, 'vm_state building'),
    ('reboot', {'type': 'HARD'}, {'task_state': 'powering-off'}, 'task_state powering-off'),
    ('pause', None, {'vm_state': 'stopped'}, 'vm_state stopped'),
    ('pause', None, {'task_state': 'suspending'}, 'task_state suspending'),
    ('unpause', None, {'vm_state': 'active'}, 'vm_state active'),
    ('suspend', None, {'vm_state': 'paused'}, 'vm_state paused'),
    ('resume', None, {'vm_state': 'stopped'}, 'vm_state stopped'),
    ('resume', None, {'vm_state': 'suspended', 'host': None}, 'no host'),
    ('confirmResize', None, {'vm_state': 'active'}, 'vm_state active'),
    ('confirmResize', None, {'vm_state': 'resized'}, 'no finished migration'),
    ('revertResize', None, {'vm_state': 'stopped'}, 'vm_state stopped')])
def test_states_in_the_way(servers: Servers, action: str, value: Any, state: dict[str, Any], words: str) -> None:
    row = servers.insert(**state)
    answer = servers.act(row.uuid, action, value, status=409)
    assert set(answer) == {'conflictingRequest'} and words in message(answer)
    assert servers.row(row.uuid) == row and servers.operations(row.uuid) == [] and servers.api.rpc.sent == []


@pytest.mark.parametrize('action', ['reboot', 'pause', 'unpause', 'suspend', 'resume'])
def test_a_hard_reboot_takes_the_place_of_what_goes_on(servers: Servers, action: str) -> None:
    key = servers.ready(action)
    servers.act(key, action, servers.value(action))
    servers.act(key, 'reboot', {'type': 'HARD'})
    assert [operation.state for operation in servers.operations(key)] == [QUEUED, CANCELLED]
    servers.set(key, locked=True)
    servers.act(key, 'reboot', {'type': 'HARD'}, status=409)
    assert [operation.state for operation in servers.operations(key)] == [QUEUED, CANCELLED]


@pytest.mark.parametrize(('body', 'words'), [
    ({'nonsense': None}, 'nonsense'), ({}, 'action'), ({'os-start': None, 'os-stop': None}, 'action'),
    ({'reboot': {'type': 'MEDIUM'}}, 'MEDIUM'), ({'reboot': {}}, 'type'), ({'reboot': None}, 'reboot'),
    ({'reboot': {'type': 'SOFT', 'x': 1}}, 'x'), ({'os-getConsoleOutput': {'length': 'x'}}, 'length'),
    ({'os-getConsoleOutput': {'length': -2}}, 'length'), ({'os-getConsoleOutput': {'x': 1}}, 'x'),
    ({'os-getConsoleOutput': {'length': '9' * 5000}}, 'length'),
    ({'os-getConsoleOutput': {'length': 2 ** 40}}, 'length'),
    ({'resize': None}, 'resize'), ({'resize': {}}, 'flavorRef'), ({'resize': {'flavorRef': ''}}, 'flavorRef'),
    ({'resize': {'flavorRef': '1', 'x': 1}}, 'x'),
    ({'resize': {'flavorRef': '1', 'OS-DCF:diskConfig': 'maybe'}}, 'maybe'),
    ({'lock': {'locked_reason': ''}}, 'locked_reason'), ({'lock': {'why': 'x'}}, 'why'), ('os-start', 'action')])
def test_bodies_that_are_refused(servers: Servers, body: Any, words: str) -> None:
    key = servers.insert().uuid
    answer = servers.api('POST', f'/servers/{key}/action', body, version=LATEST, status=400)
    assert words in message(answer)


@pytest.mark.parametrize('value', [None, {}, {'locked_reason': 'x'}, [], 'x', 1, False])
@pytest.mark.parametrize('version', ['2.1', '2.72', '2.73'])
def test_locking_without_parameters(servers: Servers, version: str, value: Any) -> None:
    key = servers.insert().uuid
    if version != '2.73':
        servers.act(key, 'lock', value, version=version)
        shown = servers.show(key)
        assert (shown['locked'], shown['locked_reason']) == (True, None)
    servers.act(key, 'unlock', value, version=version)
    servers.act(key, 'os-stop', value, version=version)
    assert [operation.kind for operation in servers.operations(key)][0] == 'stop'


def test_locks(servers: Servers) -> None:
    key = servers.insert().uuid
    servers.act(key, 'lock', {'locked_reason': 'maintenance'}, version='2.73')
    shown = servers.show(key)
    assert (shown['locked'], shown['locked_reason']) == (True, 'maintenance')
    assert 'locked_reason' not in servers.show(key, '2.72') and servers.show(key, '2.9')['locked'] is True
    servers.act(key, 'lock', {'locked_reason': 'other'})
    assert servers.show(key)['locked_reason'] == 'maintenance'
    servers.act(key, 'unlock', {}, version='2.73')
    shown = servers.show(key)
    assert (shown['locked'], shown['locked_reason']) == (False, None)
    assert [operation.kind for operation in servers.operations(key)] == ['unlock', 'lock']
    assert {operation.state for operation in servers.operations(key)} == {'done'}


def test_only_administrators_undo_the_lock_of_one(servers: Servers) -> None:
    key = servers.insert().uuid
    servers.act(key, 'lock', {'locked_reason': 'mine'})
    servers.act(key, 'lock', {'locked_reason': 'law'}, token=ADMIN)
    assert servers.row(key).locked_by == 'admin' and servers.show(key)['locked_reason'] == 'law'
    assert 'unlock_override' in message(servers.act(key, 'unlock', status=403))
    servers.act(key, 'unlock', token=ADMIN)
    assert servers.row(key).locked_by is None


@pytest.mark.parametrize(('length', 'lines'), [(None, None), (10, 10), ('10', 10), (-1, None), (0, 0)])
def test_console_output(servers: Servers, length: Any, lines: int | None) -> None:
    servers.api.rpc.answers['console_output'] = 'one\x1b[0m\x00two\n\ttabbed\n'
    key = servers.insert().uuid
    answer = servers.act(key, 'os-getConsoleOutput', {'length': length}, version='2.1', status=200)
    assert answer == {'output': 'one[0mtwo\n\ttabbed\n'}
    sent, = servers.api.rpc.sent
    assert (sent.server, sent.arguments['lines']) == ('h1', lines)


@pytest.mark.parametrize(('error', 'status'), [
    (RpcTimeout('no answer'), 409), (Unavailable('no broker'), 409), (NotFound('no guest'), 404)])
def test_console_output_that_cannot_be_had(servers: Servers, error: Exception, status: int) -> None:
    servers.api.rpc.answers['console_output'] = error
    servers.act(servers.insert().uuid, 'os-getConsoleOutput', {}, status=status)
    servers.act(servers.insert(host=None).uuid, 'os-getConsoleOutput', {}, status=409)


@pytest.mark.parametrize('state', [
    {}, {'vm_state': 'building', 'host': None, 'launched_at': None}, {'vm_state': 'error'},
    {'task_state': 'rebooting'}, {'vm_state': 'stopped'}])
def test_delete_in_any_state(servers: Servers, state: dict[str, Any]) -> None:
    key = servers.insert(**state).uuid
    assert servers.api('DELETE', f'/servers/{key}', status=204) is None
    assert servers.row(key).task_state == 'deleting'
    operation, = servers.operations(key)
    assert [(sent.server, sent.arguments) for sent in servers.api.rpc.sent] == [
        (None, {'kind': 'delete', 'operation_ids': (operation.id,)})]
    servers.api('DELETE', f'/servers/{key}', status=204)
    servers.act(key, 'forceDelete')
    assert len(servers.operations(key)) == 1


def test_delete_cancels_what_goes_on_and_remembers_ports(servers: Servers) -> None:
    port = servers.api.networks.add_port(servers.network, project_id='p1')
    key = servers.create(networks=[{'port': port}])['id']
    servers.api('DELETE', f'/servers/{key}', status=204)
    delete, create = servers.operations(key)
    assert (create.state, delete.state) == (CANCELLED, QUEUED)
    assert delete.args['nics'][0]['port_id'] == port and 'admin_pass' not in create.args


def test_who_deletes(servers: Servers) -> None:
    key = servers.insert(locked=True).uuid
    for token, status in ((READER, 403), (NOBODY, 403), (OTHER, 404), (MEMBER, 409), (ADMIN, 204)):
        servers.api('DELETE', f'/servers/{key}', token=token, status=status)
    servers.api('DELETE', '/servers/nope', status=404)


@pytest.mark.parametrize(('method', 'path', 'allow'), [
    ('PATCH', '/servers', {'GET', 'POST'}), ('PATCH', '/servers/x', {'GET', 'PUT', 'DELETE'}),
    ('GET', '/servers/x/action', {'POST'})])
def test_methods(servers: Servers, method: str, path: str, allow: set[str]) -> None:
    answer = servers.api.send(method, f'/v2.1{path}')
    assert answer.status_int == 405 and set(answer.json) == {'badMethod'}
    assert allow <= set(answer.headers['Allow'].split(', '))
