"""Resize, migrate, confirmResize and revertResize over HTTP: bodies, versions, rights, and what is written."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from compute.db import quotas
from compute.db.tables import migrations, services
from compute.objects.image import Image
from compute.objects.instance import Fault
from compute.objects.operation import QUEUED
from tests.api.compute.compute_cloud import ADMIN, MANAGER, MEMBER
from tests.api.compute.serving import LATEST, TIME, Servers, message


def migration(servers: Servers) -> Any:
    """Return the only migration."""
    row, = servers.api.db.rows(sa.select(migrations))
    return row


def nothing_begun(servers: Servers, key: str) -> bool:
    return (servers.operations(key) == [] and servers.api.rpc.sent == [] and servers.row(key).task_state is None
            and servers.api.db.rows(sa.select(migrations)) == [])


# -- what is written --

@pytest.mark.parametrize(('action', 'kind', 'task_state', 'status', 'before'), [
    ('resize', 'resize', 'resize_prep', 'RESIZE', 'pre-migrating'),
    ('migrate', 'migrate', 'resize_prep', 'RESIZE', 'pre-migrating'),
    ('confirmResize', 'confirm_resize', 'resize_confirming', 'VERIFY_RESIZE', 'confirming'),
    ('revertResize', 'revert_resize', 'resize_reverting', 'REVERT_RESIZE', 'reverting')])
def test_what_is_written_and_sent(servers: Servers, action: str, kind: str, task_state: str, status: str,
                                  before: str) -> None:
    key = servers.ready(action)
    servers.act(key, action, servers.value(action), token=ADMIN, status=204 if action == 'confirmResize' else 202)
    operation, = servers.operations(key)
    sent, = servers.api.rpc.sent
    assert (sent.server, sent.arguments) == (None, {'kind': kind, 'operation_ids': (operation.id,)})
    assert (operation.kind, operation.state, operation.host) == (kind, QUEUED, None), 'the conductor decides'
    shown = servers.show(key)
    assert (shown['OS-EXT-STS:task_state'], shown['status']) == (task_state, status)
    row = migration(servers)
    assert (row.status, row.operation_id, row.instance_uuid) == (before, operation.id, key)
    actions = servers.api('GET', f'/servers/{key}/os-instance-actions')['instanceActions']
    assert [each['action'] for each in actions] == [action], 'the spelling of the API'


def test_what_a_resize_asks_for(servers: Servers) -> None:
    key = servers.ready('resize', vm_state='stopped')
    servers.act(key, 'resize', {'flavorRef': servers.larger, 'OS-DCF:diskConfig': 'AUTO'})
    operation, = servers.operations(key)
    assert (operation.args['flavor']['flavorid'], operation.args['vm_state'], operation.args['host']) == (
        servers.larger, 'stopped', None)
    assert servers.show(key)['flavor']['original_name'] == 'small', 'until it is done'
    row = migration(servers)
    assert (row.type, row.source_host, row.old_vm_state, row.old_flavor['name'], row.new_flavor['name']) == (
        'resize', 'h1', 'stopped', 'small', 'larger')


@pytest.mark.parametrize(('state', 'status'), [
    ({'vm_state': 'resized'}, 'VERIFY_RESIZE'),
    ({'vm_state': 'resized', 'task_state': 'resize_confirming'}, 'VERIFY_RESIZE'),
    ({'vm_state': 'resized', 'task_state': 'resize_reverting'}, 'REVERT_RESIZE'),
    *(({'vm_state': vm_state, 'task_state': f'resize_{task}'}, 'RESIZE') for vm_state in ('active', 'stopped')
      for task in ('prep', 'migrating', 'migrated', 'finish')),
    ({'vm_state': 'paused'}, 'PAUSED'), ({'vm_state': 'suspended'}, 'SUSPENDED')])
def test_status(servers: Servers, state: dict[str, Any], status: str) -> None:
    key = servers.insert(**state).uuid
    assert servers.show(key)['status'] == status
    listed = servers.api('GET', f'/servers?status={status}', status=200)['servers']
    assert key in [each['id'] for each in listed]


def test_a_server_that_is_as_it_was_shows_no_fault_and_its_operation_does(servers: Servers) -> None:
    """No host fitted, for example: the server is ACTIVE, and the reason is with the action."""
    fault = Fault(code=500, reason='no_valid_host', message='No valid host was found.', created_at=TIME)
    key = servers.insert(fault=fault).uuid
    assert 'fault' not in servers.show(key)
    servers.set(key, vm_state='error')
    assert servers.show(key)['fault']['message'].startswith('No valid host was found.')


# -- bodies and versions --

@pytest.mark.parametrize('version', ['2.1', '2.55'])
@pytest.mark.parametrize('value', [None, {}, {'host': 'h2'}, {'x': 1}, [], 'x', 1, False])
def test_up_to_2_55_migrate_has_no_parameters(servers: Servers, version: str, value: Any) -> None:
    key = servers.ready('migrate')
    servers.act(key, 'migrate', value, version=version, token=MANAGER)
    assert servers.operations(key)[0].args['host'] is None


@pytest.mark.parametrize('version', ['2.56', LATEST])
def test_from_2_56_on_a_host_may_be_named(servers: Servers, version: str) -> None:
    servers.api.add_host('h2')
    for value, host in ((None, None), ({'host': None}, None), ({'host': 'h2'}, 'h2')):
        key = servers.ready('migrate')
        servers.act(key, 'migrate', value, version=version, token=ADMIN)
        assert servers.operations(key)[0].args['host'] == host
    for value in ([], 'x', 1, False, {'host': ''}, {'host': 1}, {'x': 1}, {'host': 'x' * 256}):
        key = servers.ready('migrate')
        servers.act(key, 'migrate', value, version=version, token=ADMIN, status=400)
        assert servers.operations(key) == []


def test_who_may_name_the_host(servers: Servers) -> None:
    servers.api.add_host('h2')
    key = servers.ready('migrate')
    for token in (MEMBER, MANAGER):
        answer = servers.act(key, 'migrate', {'host': 'h2'}, token=token, status=403)
        assert ('host' if token == MANAGER else 'Policy') in message(answer)
    assert nothing_begun(servers, key)
    servers.act(key, 'migrate', None, token=MANAGER)


@pytest.mark.parametrize(('host', 'words'), [('nowhere', 'nowhere could not be found'), ('h1', 'on host h1 already')])
def test_hosts_that_cannot_be(servers: Servers, host: str, words: str) -> None:
    key = servers.ready('migrate')
    assert words in message(servers.act(key, 'migrate', {'host': host}, token=ADMIN, status=400))
    assert nothing_begun(servers, key)


def test_flavors_that_cannot_be(servers: Servers) -> None:
    key = servers.ready('resize')
    hidden = servers.api('POST', '/flavors', {'flavor': {
        'name': 'hidden', 'ram': 2048, 'vcpus': 1, 'disk': 1, 'os-flavor-access:is_public': False}},
        token=ADMIN, status=200)['flavor']['id']
    disks = servers.add_flavor('diskless', ram=1024, vcpus=1, disk=0)
    for flavor, words in ((servers.flavor, 'already'), ('nothing', 'nothing could not be found'),
                          (hidden, 'could not be found'), (disks, 'from 1 GB to 0 GB')):
        assert words in message(servers.act(key, 'resize', {'flavorRef': flavor}, status=400)), flavor
    assert nothing_begun(servers, key)
    servers.act(key, 'resize', {'flavorRef': hidden}, token=ADMIN)


def test_a_flavor_with_too_little_memory_for_the_image(servers: Servers) -> None:
    key = servers.ready('resize', image=Image(id=servers.image, name='big', min_ram=1000))
    tiny = servers.add_flavor('tiny', ram=600, vcpus=1, disk=1)
    assert '600 MB' in message(servers.act(key, 'resize', {'flavorRef': tiny}, status=400))
    assert nothing_begun(servers, key)


def test_an_extra_spec_without_effect_is_refused(servers: Servers) -> None:
    key, flavor = servers.ready('resize'), servers.larger
    servers.api('POST', f'/flavors/{flavor}/os-extra_specs', {'extra_specs': {'hw:cpu_policy': 'dedicated'}},
                token=ADMIN, status=200)
    assert 'hw:cpu_policy' in message(servers.act(key, 'resize', {'flavorRef': flavor}, status=400))
    assert nothing_begun(servers, key)


def test_a_larger_flavor_over_quota(servers: Servers) -> None:
    key = servers.ready('resize')
    servers.api.db.transaction(lambda connection: quotas.set_limit(connection, 'p1', 'cores', 0))
    answer = servers.act(key, 'resize', {'flavorRef': servers.larger}, status=403)
    assert 'cores' in message(answer) and nothing_begun(servers, key)


@pytest.mark.parametrize('action', ['resize', 'migrate', 'revertResize'])
def test_a_host_that_is_down(servers: Servers, action: str) -> None:
    key = servers.ready(action)
    servers.api.db.transaction(lambda connection: connection.execute(services.update().values(
        last_seen_at=datetime.datetime(2020, 1, 1))))
    answer = servers.act(key, action, servers.value(action), token=ADMIN, status=409)
    assert 'its host is down' in message(answer) and servers.operations(key) == []


@pytest.mark.parametrize('state', [
    {'vm_state': 'paused'}, {'vm_state': 'suspended'}, {'vm_state': 'error'}, {'vm_state': 'building'},
    {'vm_state': 'resized'}, {'task_state': 'rebooting'}, {'host': None}, {'launched_at': None}])
@pytest.mark.parametrize('action', ['resize', 'migrate'])
def test_states_in_the_way(servers: Servers, action: str, state: dict[str, Any]) -> None:
    key = servers.ready(action, **state)
    before = servers.row(key)
    servers.act(key, action, servers.value(action), token=ADMIN, status=409)
    assert servers.row(key) == before and servers.operations(key) == []


def test_the_second_name_has_resizes_and_no_migrations(servers: Servers) -> None:
    for action in ('resize', 'confirmResize', 'revertResize'):
        path, body = f'/os-volumes_boot/{servers.ready(action)}/action', {action: servers.value(action)}
        servers.api('POST', path, body, version='2.102', status=204 if action == 'confirmResize' else 202)
        servers.api('POST', path, body, version='2.103', status=404)
    servers.api('POST', f'/os-volumes_boot/{servers.ready("migrate")}/action', {'migrate': None}, token=ADMIN,
                version='2.102', status=400)
