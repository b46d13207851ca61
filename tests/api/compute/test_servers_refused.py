"""POST /servers: what is refused, with which status and which words, and that nothing is written then."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import webob

from compute.exception import Unavailable
from compute.objects.image import Image
from tests.api.compute.compute_cloud import ADMIN, MEMBER
from tests.api.compute.serving import LATEST, Servers, message

UUID = '99999999-0000-4000-8000-000000000000'
FIELDS: list[tuple[str, Any, str]] = [
    ('name', '', 'name'), ('name', ' a', 'name'), ('name', 'a' * 256, 'name'), ('name', 5, 'name'),
    ('name', 'a\x00', 'NUL'), ('adminPass', 'a\x00', 'NUL'), ('adminPass', 'a\nroot:b', 'adminPass'),
    ('adminPass', 'a\x7f', 'adminPass'), ('imageRef', 'nope', 'imageRef'), ('imageRef', UUID, UUID),
    ('imageRef', '', 'imageRef is missing'), ('imageRef', 5, 'imageRef'), ('flavorRef', 'nope', 'nope'),
    ('flavorRef', '', 'flavorRef'), ('flavorRef', ['1'], 'flavorRef'), ('networks', [{'uuid': UUID}], UUID),
    ('networks', [{'uuid': 'x'}], 'uuid'), ('networks', [{}], 'networks.0'), ('networks', 'some', 'networks'),
    ('networks', [{'port': UUID}], UUID), ('networks', [{'port': 'x'}], 'port'),
    ('networks', [{'uuid': UUID, 'nonsense': 1}], 'nonsense'), ('networks', {}, 'networks'),
    ('networks', [{'port': UUID, 'fixed_ip': '10.0.0.9'}], 'fixed_ip'),
    ('networks', [{'uuid': UUID, 'fixed_ip': '10.0.0.300'}], 'fixed_ip'), ('key_name', 'nope', "'nope'"),
    ('key_name', '', 'key_name'), ('availability_zone', 'mars', "'mars'"),
    ('availability_zone', '', 'availability_zone'),
    ('user_data', '%%%', 'user_data'), ('user_data', 'a' * 65536, 'user_data'), ('user_data', 5, 'user_data'),
    ('metadata', {'a': 1}, 'metadata'), ('metadata', {'a': 'x' * 256}, 'metadata'), ('metadata', {'': 'x'}, 'metadata'),
    ('metadata', {'a/b': 'x'}, 'metadata'), ('metadata', [], 'metadata'), ('min_count', 0, 'min_count'),
    ('min_count', '0', 'min_count'), ('min_count', -1, 'min_count'), ('min_count', 'x', 'min_count'),
    ('max_count', 0, 'max_count'), ('max_count', 1001, 'max_count'), ('max_count', True, 'max_count'),
    ('OS-DCF:diskConfig', 'SOMETIMES', 'diskConfig'), ('accessIPv4', '::1', 'accessIPv4'),
    ('accessIPv6', '1.2.3.4', 'accessIPv6'), ('config_drive', 'maybe', 'config_drive'),
    ('tags', ['a/b'], 'tags'), ('tags', ['a,b'], 'tags'), ('tags', [''], 'tags'), ('tags', ['a' * 61], 'tags'),
    ('tags', [str(number) for number in range(51)], 'tags'), ('hostname', '-x', 'hostname'),
    ('hostname', 'a_b', 'hostname'), ('hostname', 'a' * 256, 'hostname'), ('description', 'a' * 256, 'description'),
    ('security_groups', [{'name': ''}], 'security_groups'), ('security_groups', ['web'], 'security_groups'),
    ('trusted_image_certificates', [], 'trusted_image_certificates'),
    ('trusted_image_certificates', ['a', 'a'], 'trusted_image_certificates'), ('nonsense', 1, 'nonsense'),
    ('block_device_mapping', [{'volume_id': UUID}], 'block_device_mapping'),
    ('block_device_mapping_v2', [{'source_type': 'volume', 'uuid': UUID, 'boot_index': 0}], 'volumes are not served'),
    ('block_device_mapping_v2', [{'source_type': 'image', 'destination_type': 'volume', 'uuid': UUID}], 'volumes'),
    ('block_device_mapping_v2', [{'source_type': 'blank', 'destination_type': 'local', 'boot_index': -1}], 'flavor'),
    ('block_device_mapping_v2', [{'source_type': 'image', 'destination_type': 'local', 'uuid': UUID,
                                  'boot_index': 0}], 'same image'),
    ('block_device_mapping_v2', [{'source_type': 'tape'}], 'tape'), ('host', 'a b', 'host'),
    ('return_reservation_id', 'perhaps', 'return_reservation_id')]


@pytest.mark.parametrize(('key', 'value', 'words'), FIELDS, ids=[
    f'{key}-{str(value)[:30]}'.replace(':', '-') for key, value, _ in FIELDS])
def test_fields(servers: Servers, key: str, value: Any, words: str) -> None:
    answer = servers.create(400, **{key: value})
    assert set(answer) == {'badRequest'} and answer['badRequest']['code'] == 400
    assert words in message(answer)
    assert servers.api('GET', '/servers')['servers'] == [] and servers.api.rpc.sent == []
    assert servers.api('GET', '/limits')['limits']['absolute']['totalInstancesUsed'] == 0


@pytest.mark.parametrize('missing', ['name', 'flavorRef', 'networks'])
def test_what_must_be_there(servers: Servers, missing: str) -> None:
    assert missing in message(servers.create(400, **{missing: None}))


def test_min_above_max(servers: Servers) -> None:
    assert 'min_count' in message(servers.create(400, min_count=3, max_count=2))


def test_images_that_do_not_fit(servers: Servers) -> None:
    images, big = servers.api.images, Image(id=UUID, name='big', disk_format='raw')
    images.add(dataclasses.replace(big, min_ram=4096))
    assert "Flavor's memory is too small" in message(servers.create(400, imageRef=UUID))
    images.add(dataclasses.replace(big, min_disk=5))
    assert "Flavor's disk is too small" in message(servers.create(400, imageRef=UUID))
    images.add(dataclasses.replace(big, virtual_size=2 * 1024 ** 3), b'x')
    assert str(2 * 1024 ** 3) in message(servers.create(400, imageRef=UUID))
    images.add(big, None)
    assert 'queued' in message(servers.create(400, imageRef=UUID))
    images.add(dataclasses.replace(big, owner='p2'), b'x', public=False)
    assert 'could not be found' in message(servers.create(400, imageRef=UUID))


@pytest.mark.parametrize('told', [
    *({'disk_format': name} for name in ('vmdk', 'vdi', 'vhd', 'vhdx', 'iso', 'ploop', 'aki', 'ari', None)),
    *({'disk_format': 'qcow2', 'container_format': name} for name in ('ova', 'ovf', 'docker', 'compressed'))])
def test_images_that_no_host_boots(servers: Servers, told: dict[str, str | None]) -> None:
    image = servers.api.images.add(dataclasses.replace(Image(id=UUID, container_format='bare'), **told), b'x')
    name, value = list(told.items())[-1]
    assert f'the {name} is {value}, it must be one of ' in message(servers.create(400, imageRef=image.id))
    assert servers.api('GET', '/servers')['servers'] == []


KERNEL, RAMDISK = '99999999-0000-4000-8000-00000000000a', '99999999-0000-4000-8000-00000000000b'


@pytest.mark.parametrize(('properties', 'parts', 'words'), [
    ({'kernel_id': KERNEL}, [], f'kernel_id {KERNEL}: image could not be found'),
    ({'kernel_id': KERNEL, 'ramdisk_id': RAMDISK}, [Image(id=KERNEL, disk_format='aki')], f'ramdisk_id {RAMDISK}: '),
    ({'kernel_id': 'vmlinuz'}, [], 'kernel_id vmlinuz: image could not be found'),
    ({'kernel_id': KERNEL}, [Image(id=KERNEL, disk_format='qcow2')], 'the disk_format is qcow2'),
    ({'kernel_id': KERNEL}, [Image(id=KERNEL, disk_format='aki', container_format='docker')], 'is docker'),
    ({'kernel_id': KERNEL}, [Image(id=KERNEL, disk_format='aki', owner='p2')], 'could not be found'),
    ({'kernel_id': KERNEL}, [Image(id=KERNEL, disk_format='aki', status='deactivated')], 'it must be active'),
    ({'ramdisk_id': RAMDISK}, [Image(id=RAMDISK, disk_format='ari')], 'no kernel_id')])
def test_kernels_that_cannot_be_booted(servers: Servers, properties: dict[str, str], parts: list[Image],
                                       words: str) -> None:
    images = servers.api.images
    images.add(Image(id=UUID, disk_format='ami', container_format='ami', properties=properties), b'x')
    for part in parts:
        images.add(part, b'x', public=part.owner is None)
    assert words in message(servers.create(400, imageRef=UUID))
    assert servers.api('GET', '/servers')['servers'] == []


def test_a_server_has_the_kernel_of_its_image(servers: Servers) -> None:
    images = servers.api.images
    for part in (Image(id=KERNEL, disk_format='aki', container_format='aki'), Image(id=RAMDISK, disk_format='ari')):
        images.add(part, part.id.encode())
    images.add(Image(id=UUID, disk_format='ami', container_format='ami',
                     properties={'kernel_id': KERNEL, 'ramdisk_id': RAMDISK}), b'x')
    uuid = servers.create(202, imageRef=UUID)['id']
    image = servers.row(uuid).image
    assert image is not None and [part.id for part in image.parts] == [KERNEL, RAMDISK]
    assert image.kernel is not None and image.kernel.size == len(KERNEL) and image.kernel.os_hash_value
    shown = servers.api('GET', f'/servers/{uuid}', version=LATEST, token=ADMIN)['server']
    assert (shown['OS-EXT-SRV-ATTR:kernel_id'], shown['OS-EXT-SRV-ATTR:ramdisk_id']) == (KERNEL, RAMDISK)
    assert shown['image']['properties'] == {'kernel_id': KERNEL, 'ramdisk_id': RAMDISK}


def test_ports(servers: Servers) -> None:
    networks = servers.api.networks
    mine = networks.add_port(servers.network, project_id='p1')
    foreign = networks.add_port(servers.network, project_id='p2')
    used = networks.add_port(servers.network, project_id='p1', device_id=UUID)
    assert foreign in message(servers.create(400, networks=[{'port': foreign}]))
    assert 'in use' in message(servers.create(409, networks=[{'port': used}]))
    assert 'twice' in message(servers.create(400, networks=[{'port': mine}, {'port': mine}]))
    assert 'max_count' in message(servers.create(400, networks=[{'port': mine}], max_count=2))
    assert 'fixed_ip' in message(servers.create(400, max_count=2, networks=[
        {'uuid': servers.network, 'fixed_ip': '10.0.0.77'}]))
    assert servers.create(networks=[{'port': mine}, {'uuid': servers.network, 'fixed_ip': '10.0.0.77'}])


def test_foreign_networks_and_those_without_subnets(servers: Servers) -> None:
    networks = servers.api.networks
    foreign, bare = networks.add_network(project_id='p2'), networks.add_network(project_id='p1', cidr=None)
    assert foreign in message(servers.create(400, networks=[{'uuid': foreign}]))
    assert 'subnet' in message(servers.create(400, networks=[{'uuid': bare}]))
    shared = networks.add_network(project_id='p2', shared=True)
    servers.create(networks=[{'uuid': shared}])


def test_neighbours_that_do_not_answer(servers: Servers) -> None:
    where = 'The image service at http://10.0.0.5:9292/v2 does not answer: Connection refused'
    servers.api.images.refuse(Unavailable(where, code='image_unavailable'))
    answer = servers.create(503)['serviceUnavailable']
    assert (answer['message'], answer['reason']) == ('The image service does not answer.', 'image_unavailable')
    assert answer['retryable'] is True and '10.0.0.5' not in str(answer)
    assert servers.api('POST', '/servers', servers.request(), version='2.37', token=ADMIN,
                       status=503)['serviceUnavailable']['message'] == where
    servers.api.images.refuse(None)
    servers.api.networks.refuse(Unavailable('The network service does not answer'))
    servers.create(503)
    assert servers.api('GET', '/servers')['servers'] == []


@pytest.mark.parametrize(('body', 'kind', 'status', 'words'), [
    (b'{"server": ', 'application/json', 400, 'Malformed'), (b'', 'application/json', 400, ''),
    (b'[]', 'application/json', 400, 'object'), (b'{}', 'application/json', 400, 'server'),
    (b'"x"', 'application/json', 400, 'object'), (b'\xff\xfe', 'application/json', 400, 'Malformed'),
    (b'{"server": 5}', 'application/json', 400, 'server'), (b'{"server": {}, "x": 1}', 'application/json', 400, ''),
    (b'<server/>', 'application/xml', 415, 'application/xml'),
    (b'{"server": "' + b'a' * 120000 + b'"}', 'application/json', 413, 'limit')])
def test_bodies(servers: Servers, body: bytes, kind: str, status: int, words: str) -> None:
    request = webob.Request.blank('/v2.1/servers', method='POST', headers={
        'X-Auth-Token': MEMBER, 'OpenStack-API-Version': f'compute {LATEST}'})
    request.content_type, request.body = kind, body
    answer = request.get_response(servers.api.wsgi)
    assert answer.status_int == status and words in answer.text
    name = {400: 'badRequest', 413: 'overLimit', 415: 'badMediaType'}[status]
    assert set(answer.json) == {name}
    assert answer.headers['OpenStack-API-Version'] == f'compute {LATEST}'
    assert servers.api('GET', '/servers')['servers'] == []


def test_a_password_is_in_no_message(servers: Servers) -> None:
    answer = servers.create(400, adminPass=['hunter2'], nonsense=1)
    assert 'hunter2' not in str(answer)


def test_v2_lets_unknown_keys_pass(servers: Servers) -> None:
    body = servers.request(nonsense=1)
    servers.api('POST', '/servers', body, prefix='/v2', status=202)
    assert servers.api.send('POST', '/v2/servers', body).headers.get('OpenStack-API-Version') is None
