"""GET and PUT /servers/{id}: which keys are there at each of the versions, for whom, and what they say."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from compute import states
from compute.api.history import HISTORY
from compute.objects.instance import Fault
from compute.rest.versions import Version
from tests.api.compute.compute_cloud import ADMIN, MEMBER, NOBODY, OTHER, READER
from tests.api.compute.serving import LATEST, TIME, Servers, message

VERSIONS = [version for version, _ in HISTORY]
BASE = {
    'id', 'name', 'links', 'status', 'tenant_id', 'user_id', 'created', 'updated', 'hostId', 'metadata', 'accessIPv4',
    'accessIPv6', 'addresses', 'OS-DCF:diskConfig', 'config_drive', 'key_name', 'image', 'flavor', 'progress',
    'OS-EXT-AZ:availability_zone', 'OS-EXT-STS:task_state', 'OS-EXT-STS:vm_state', 'OS-EXT-STS:power_state',
    'OS-SRV-USG:launched_at', 'OS-SRV-USG:terminated_at', 'os-extended-volumes:volumes_attached', 'security_groups'}
SINCE = {
    'locked': '2.9', 'description': '2.19', 'tags': '2.26', 'trusted_image_certificates': '2.63',
    'server_groups': '2.71', 'locked_reason': '2.73', 'OS-EXT-SRV-ATTR:hostname': '2.90',
    'pinned_availability_zone': '2.96', 'scheduler_hints': '2.100'}
FOR_ADMINS = {
    'OS-EXT-SRV-ATTR:host': '2.1', 'OS-EXT-SRV-ATTR:instance_name': '2.1', 'OS-EXT-SRV-ATTR:hypervisor_hostname': '2.1',
    'OS-EXT-SRV-ATTR:hostname': '2.3', 'OS-EXT-SRV-ATTR:kernel_id': '2.3', 'OS-EXT-SRV-ATTR:launch_index': '2.3',
    'OS-EXT-SRV-ATTR:ramdisk_id': '2.3', 'OS-EXT-SRV-ATTR:reservation_id': '2.3',
    'OS-EXT-SRV-ATTR:root_device_name': '2.3', 'OS-EXT-SRV-ATTR:user_data': '2.3', 'host_status': '2.16'}
# What an update did not answer before 2.75.
NOT_UPDATED = {
    'config_drive', 'key_name', 'security_groups', 'host_status', 'os-extended-volumes:volumes_attached',
    *(key for key in (*BASE, *FOR_ADMINS) if key.startswith(('OS-EXT-', 'OS-SRV-USG:')))}


def at(version: str, keys: dict[str, str]) -> set[str]:
    return {key for key, since in keys.items() if Version.of(version) >= Version.of(since)}


def expected(version: str, token: str) -> set[str]:
    return BASE | at(version, SINCE) | (at(version, FOR_ADMINS) if token == ADMIN else set())


@pytest.mark.parametrize('token', [MEMBER, READER, ADMIN])
def test_keys_at_every_version(servers: Servers, token: str) -> None:
    servers.api.add_host('h1')
    key = servers.insert().uuid
    for version in VERSIONS:
        shown = servers.show(key, version, token)
        assert set(shown) == expected(version, token), version
        query = '?all_tenants=1' if token == ADMIN else ''
        listed, = servers.api('GET', f'/servers/detail{query}', version=version, token=token, status=200)['servers']
        assert listed == {name: value for name, value in shown.items() if name != 'server_groups'}, version


@pytest.mark.parametrize('token', [MEMBER, ADMIN])
def test_keys_of_an_update_at_every_version(servers: Servers, token: str) -> None:
    servers.api.add_host('h1')
    key = servers.insert().uuid
    for version in VERSIONS:
        updated = servers.api('PUT', f'/servers/{key}', {'server': {'name': 'n'}}, version=version, token=token,
                              status=200)['server']
        shown = servers.show(key, version, token)
        if Version.of(version) >= Version.of('2.75'):
            assert updated == shown, version
            continue
        assert set(updated) == expected(version, token) - NOT_UPDATED, version
        plain = {label: [{'version': each['version'], 'addr': each['addr']} for each in items]
                 for label, items in shown['addresses'].items()}
        assert updated == {name: value for name, value in {**shown, 'addresses': plain}.items() if name in updated}


@pytest.mark.parametrize('token', [MEMBER, ADMIN])
def test_a_version_differs_from_the_next_by_its_changes_only(servers: Servers, token: str) -> None:
    servers.api.add_host('h1')
    key = servers.insert().uuid
    shown = {version: servers.show(key, version, token) for version in VERSIONS}
    changed = {'2.47': 'flavor', '2.98': 'image'}
    for older, newer in itertools.pairwise(VERSIONS):
        kept = {name: value for name, value in shown[newer].items()
                if name in expected(older, token) and name != changed.get(newer)}
        assert kept == {name: value for name, value in shown[older].items() if name != changed.get(newer)}, newer


def test_values(servers: Servers) -> None:
    servers.api.add_host('h1')
    row = servers.insert(metadata={'a': 'b'}, tags=('x',), config_drive=True, key_name='k', description='d',
                         scheduler_hints={'group': 'g'}, access_ip_v6='::1', hostname='web', user_data='aGk=')
    shown = servers.show(row.uuid, token=ADMIN)
    links = [{'rel': 'self', 'href': f'http://localhost/v2.1/servers/{row.uuid}'},
             {'rel': 'bookmark', 'href': f'http://localhost/servers/{row.uuid}'}]
    nic, = row.nics
    for key, value in {
            'status': 'ACTIVE', 'links': links, 'created': '2026-11-20T12:00:00Z', 'metadata': {'a': 'b'},
            'tags': ['x'],
            'OS-SRV-USG:launched_at': '2026-11-20T12:00:00.000000', 'OS-SRV-USG:terminated_at': None,
            'config_drive': 'True', 'key_name': 'k', 'accessIPv4': '', 'accessIPv6': '::1', 'description': 'd',
            'security_groups': [{'name': 'web'}], 'OS-EXT-AZ:availability_zone': 'nova', 'host_status': 'UP',
            'OS-EXT-SRV-ATTR:host': 'h1', 'OS-EXT-SRV-ATTR:hostname': 'web', 'OS-EXT-SRV-ATTR:user_data': 'aGk=',
            'OS-EXT-SRV-ATTR:instance_name': row.guest_name, 'OS-EXT-STS:power_state': 1, 'locked': False,
            'os-extended-volumes:volumes_attached': [], 'scheduler_hints': {'group': 'g'}, 'server_groups': [],
            'addresses': {'net1': [{'version': 4, 'addr': nic.fixed_ips[0].address, 'OS-EXT-IPS:type': 'fixed',
                                    'OS-EXT-IPS-MAC:mac_addr': nic.mac}]}}.items():
        assert shown[key] == value, key
    assert len(shown['hostId']) == 56


def test_flavor_and_image_of_old_and_new(servers: Servers) -> None:
    key = servers.insert().uuid
    assert servers.show(key, '2.46')['flavor'] == {'id': servers.flavor, 'links': [
        {'rel': 'bookmark', 'href': f'http://localhost/flavors/{servers.flavor}'}]}
    embedded = {'vcpus': 1, 'ram': 512, 'disk': 1, 'ephemeral': 0, 'swap': 0, 'original_name': 'small',
                'extra_specs': {'hw:mem_page_size': 'any'}}
    assert servers.show(key, '2.47')['flavor'] == embedded
    image = servers.show(key, '2.97')['image']
    assert set(image) == {'id', 'links'} and image['id'] == servers.image
    assert servers.show(key, '2.98')['image'] == {**image, 'properties': {'hw_disk_bus': 'virtio'}}


def test_a_server_from_a_volume_has_no_image(servers: Servers) -> None:
    assert servers.show(servers.insert(image=None).uuid)['image'] == ''


def test_while_it_is_built(servers: Servers) -> None:
    shown = servers.show(servers.insert(vm_state='building', task_state='spawning', host=None, launched_at=None).uuid)
    assert (shown['status'], shown['addresses'], shown['hostId'], shown['progress']) == ('BUILD', {}, '', 0)


def test_a_server_without_ports(servers: Servers) -> None:
    shown = servers.show(servers.insert(nics=()).uuid)
    assert shown['addresses'] == {} and 'security_groups' not in shown


@pytest.mark.parametrize(('vm_state', 'task_state', 'status', 'progress'), [
    ('active', None, 'ACTIVE', True), ('building', 'spawning', 'BUILD', True), ('stopped', None, 'SHUTOFF', False),
    ('active', 'rebooting', 'REBOOT', False), ('active', 'reboot_started_hard', 'HARD_REBOOT', False),
    ('active', 'rebuilding', 'REBUILD', True), ('active', 'resize_prep', 'RESIZE', True),
    ('resized', None, 'VERIFY_RESIZE', True), ('active', 'migrating', 'MIGRATING', True),
    ('error', None, 'ERROR', False), ('soft-delete', None, 'SOFT_DELETED', False)])
def test_status_and_progress(servers: Servers, vm_state: str, task_state: str | None, status: str,
                             progress: bool) -> None:
    shown = servers.show(servers.insert(vm_state=vm_state, task_state=task_state).uuid)
    assert (shown['status'], 'progress' in shown) == (status, progress)


@pytest.mark.parametrize(('code', 'token', 'detailed'), [
    (500, MEMBER, False), (500, ADMIN, True), (404, MEMBER, False), (404, ADMIN, True)])
def test_fault(servers: Servers, code: int, token: str, detailed: bool) -> None:
    fault = Fault(code=code, reason='disk_full', message='no room below /var/lib/disks of node1', hint='add one',
                  created_at=TIME)
    key = servers.insert(vm_state='error', fault=fault).uuid
    shown = servers.show(key, '2.1', token)['fault']
    assert {name: shown[name] for name in ('code', 'created', 'message')} == {
        'code': code, 'created': '2026-11-20T12:00:00Z', 'message': 'The disk of the host is full. [disk_full]'}
    assert ('details' in shown) is detailed
    assert ('/var/lib/disks' in str(shown)) is detailed
    servers.set(key, vm_state='active')
    assert 'fault' not in servers.show(key)


def test_names_of_groups_survive_a_network_service_that_is_down(servers: Servers) -> None:
    from compute.exception import Unavailable
    first, second = servers.insert().uuid, servers.insert(nics=()).uuid
    assert servers.show(first)['security_groups'] == [{'name': 'web'}]
    servers.api.networks.refuse(Unavailable('down'))
    assert servers.show(first)['security_groups'] == [{'name': 'web'}]
    servers.show(second)
    servers.api.cloud.group_names._known.clear()
    assert servers.show(first)['security_groups'] == [{'name': servers.group}]


@pytest.mark.parametrize('path', ['', '/ips', '/metadata', '/tags', '/os-interface', '/os-security-groups',
                                  '/os-volume_attachments', '/os-instance-actions'])
def test_who_sees(servers: Servers, path: str) -> None:
    key = servers.insert().uuid
    for token, status in ((MEMBER, 200), (READER, 200), (ADMIN, 200), (NOBODY, 403), (OTHER, 404)):
        servers.api('GET', f'/servers/{key}{path}', version=LATEST, token=token, status=status)
    for name in ('no-such-server', '99999999-0000-4000-8000-000000000000', 'a' * 300, '%E2%98%83'):
        answer = servers.api('GET', f'/servers/{name}{path}', version=LATEST, status=404)
        assert set(answer) == {'itemNotFound'}
    servers.api('GET', f'/servers/{key}{path}', version=LATEST, token=None, status=401)


def test_deleted_servers_are_not_shown(servers: Servers) -> None:
    key = servers.insert(vm_state=states.DELETED, deleted=True).uuid
    for token in (MEMBER, ADMIN):
        servers.api('GET', f'/servers/{key}', token=token, status=404)


def update(servers: Servers, key: str, status: int = 200, *, version: str = LATEST, token: str = MEMBER,
           **values: Any) -> Any:
    return servers.api('PUT', f'/servers/{key}', {'server': values}, version=version, token=token, status=status)


def test_update(servers: Servers) -> None:
    key = servers.insert(locked=True).uuid
    shown = update(servers, key, name='new', description='', accessIPv4='1.2.3.4', accessIPv6='::2', hostname='h',
                   **{'OS-DCF:diskConfig': 'AUTO'}, version='2.89', status=400)
    assert 'hostname' in message(shown)
    shown = update(servers, key, name='new', description='d', accessIPv4='1.2.3.4', accessIPv6='::2', hostname='web1',
                   **{'OS-DCF:diskConfig': 'AUTO'})['server']
    assert (shown['name'], shown['description'], shown['accessIPv4']) == ('new', 'd', '1.2.3.4')
    assert (shown['accessIPv6'], shown['OS-DCF:diskConfig']) == ('::2', 'AUTO')
    assert shown['OS-EXT-SRV-ATTR:hostname'] == 'web1'
    shown = update(servers, key, description=None)['server']
    assert (shown['accessIPv4'], shown['description'], shown['name']) == ('1.2.3.4', None, 'new')
    before = servers.row(key)
    update(servers, key)
    assert servers.row(key) == before


@pytest.mark.parametrize(('values', 'version', 'words'), [
    ({'name': ''}, LATEST, 'name'), ({'description': 'x'}, '2.18', 'description'), ({'nonsense': 1}, '2.1', 'nonsense'),
    ({'hostname': 'a.b'}, '2.93', 'hostname'), ({'accessIPv4': 'x'}, LATEST, 'accessIPv4'),
    ({'accessIPv4': ''}, LATEST, 'accessIPv4'), ({'accessIPv6': None}, '2.1', 'accessIPv6'),
    ({'pinned_availability_zone': None}, '2.103', 'pinned'), ({'imageRef': 'x'}, LATEST, 'imageRef')])
def test_updates_that_are_refused(servers: Servers, values: dict[str, Any], version: str, words: str) -> None:
    assert words in message(update(servers, servers.insert().uuid, 400, version=version, **values))


def test_who_updates(servers: Servers) -> None:
    key = servers.insert().uuid
    update(servers, key, 403, token=READER, name='x')
    update(servers, key, 404, token=OTHER, name='x')
    update(servers, key, 200, token=ADMIN, name='x')


def test_pins_of_zones(servers: Servers) -> None:
    key = servers.insert(availability_zone='nova', pinned_availability_zone='nova').uuid
    def pin(zone: str | None, status: int = 200) -> Any:
        return update(servers, key, status, pinned_availability_zone=zone)
    assert pin('nova')['server']['pinned_availability_zone'] == 'nova'
    assert 'mars' in message(pin('mars', 409))
    assert pin(None)['server']['pinned_availability_zone'] is None
    assert 'mars' in message(pin('mars', 409))
    assert pin('nova')['server']['pinned_availability_zone'] == 'nova'
