"""POST /servers: what is written and sent, and the windows of every key."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from compute.exception import Unavailable
from compute.objects.image import Image
from tests.api.compute.compute_cloud import ADMIN, MEMBER, NOBODY, READER
from tests.api.compute.serving import LATEST, Servers, message


@pytest.mark.parametrize('version', ['2.1', '2.36', '2.37', LATEST])
def test_the_answer(servers: Servers, version: str) -> None:
    answer = servers.api.send('POST', '/v2.1/servers', servers.request(), version=version)
    assert answer.status_int == 202
    server = answer.json['server']
    assert set(server) == {'id', 'links', 'OS-DCF:diskConfig', 'security_groups', 'adminPass'}
    assert answer.headers['Location'] == f'http://localhost/v2.1/servers/{server["id"]}'
    assert server['links'][0] == {'rel': 'self', 'href': answer.headers['Location']}
    assert server['security_groups'] == [{'name': 'default'}] and server['OS-DCF:diskConfig'] == 'MANUAL'
    assert len(server['adminPass']) == 12


def test_what_is_written_and_sent(servers: Servers) -> None:
    data, other = base64.b64encode(b'#!/bin/sh\n').decode(), servers.insert().uuid
    key = servers.create(
        name='Web 1_a.b', metadata={'a': 'b'}, user_data=data, tags=['x', 'x'], description='d', adminPass='secret',
        security_groups=[{'name': 'web'}], accessIPv4='1.2.3.4', config_drive='True',
        beside={'os:scheduler_hints': {'different_host': other}}, **{'OS-DCF:diskConfig': 'AUTO'})['id']
    row = servers.row(key)
    assert (row.vm_state, row.task_state, row.host) == ('building', 'scheduling', None)
    assert (row.name, row.hostname, row.metadata, row.tags) == ('Web 1_a.b', 'web-1-a-b', {'a': 'b'}, ('x',))
    assert (row.user_data, row.config_drive, row.disk_config, row.access_ip_v4) == (data, True, 'AUTO', '1.2.3.4')
    assert row.security_groups == (servers.group,) and row.image is not None and row.image.id == servers.image
    assert row.scheduler_hints == {'different_host': other}
    operation, = servers.operations(key)
    assert (operation.kind, operation.state, operation.args['admin_pass']) == ('create', 'queued', 'secret')
    assert operation.args['nics'][0]['network_id'] == servers.network
    assert [(sent.server, sent.arguments) for sent in servers.api.rpc.begun('create')] == [
        (None, {'kind': 'create', 'operation_ids': (operation.id,)})]
    used = servers.api('GET', '/limits')['limits']['absolute']
    assert (used['totalInstancesUsed'], used['totalCoresUsed'], used['totalRAMUsed']) == (1, 1, 512)


def test_a_broker_that_is_down_delays_and_no_more(servers: Servers) -> None:
    servers.api.rpc.refuse(Unavailable('no broker'))
    assert servers.operations(servers.create()['id'])[0].state == 'queued'


# key, value, first version, first version without it, needs an administrator
WINDOWS: list[tuple[str, Any, str, str | None, bool]] = [
    ('description', 'x', '2.19', None, False), ('networks', 'auto', '2.37', None, False),
    ('networks', 'none', '2.37', None, False), ('tags', ['a'], '2.52', None, False),
    ('personality', [], '2.1', '2.57', False),
    ('host', 'h1', '2.74', None, True), ('hypervisor_hostname', 'h1', '2.74', None, True),
    ('hostname', 'web', '2.90', None, False), ('hostname', 'web.example.org', '2.94', None, False)]


@pytest.mark.parametrize(('key', 'value', 'since', 'until', 'admin'), WINDOWS)
def test_windows(servers: Servers, key: str, value: Any, since: str, until: str | None, admin: bool) -> None:
    servers.api.add_host('h1')
    token = 'root:p1:admin,member,reader' if admin else MEMBER
    servers.create(version=since, token=token, **{key: value})
    if since != '2.1':
        assert key in message(servers.create(400, version=before(since), token=token, **{key: value}))
    if until is not None:
        servers.create(version=before(until), **{key: value})
        assert key in message(servers.create(400, version=until, **{key: value}))
    else:
        servers.create(version=LATEST, token=token, **{key: value})


def before(version: str) -> str:
    return f'2.{int(version.removeprefix("2.")) - 1}'


@pytest.mark.parametrize(('version', 'status'), [
    ('2.31', 400), ('2.32', 202), ('2.36', 202), ('2.37', 400), ('2.41', 400), ('2.42', 202)])
def test_tags_of_networks_came_went_and_came_back(servers: Servers, version: str, status: int) -> None:
    answer = servers.create(status, version=version, networks=[{'uuid': servers.network, 'tag': 'front'}])
    if status == 202:
        assert servers.operations(answer['id'])[0].args['nics'][0]['tag'] == 'front'
    else:
        assert 'tag' in message(answer)


@pytest.mark.parametrize(('version', 'status'), [('2.31', 400), ('2.32', 202), ('2.33', 400), ('2.42', 202)])
def test_tags_of_disks_came_went_and_came_back(servers: Servers, version: str, status: int) -> None:
    servers.create(status, version=version, block_device_mapping_v2=[
        {'uuid': servers.image, 'source_type': 'image', 'destination_type': 'local', 'boot_index': 0, 'tag': 't'}])


def test_networks_must_be_named_from_2_37(servers: Servers) -> None:
    servers.create(version='2.36', networks=None)
    assert 'networks' in message(servers.create(400, version='2.37', networks=None))


def test_one_network_is_taken_by_itself_and_two_are_not(servers: Servers) -> None:
    for version, networks in (('2.1', None), (LATEST, [])):
        key = servers.create(version=version, networks=networks)['id']
        assert [nic['network_id'] for nic in servers.operations(key)[0].args['nics']] == [servers.network]
    servers.api.networks.add_network(project_id='p1', name='net2')
    assert 'Multiple possible networks' in message(servers.create(409, version='2.1', networks=None))


def test_auto_and_none(servers: Servers) -> None:
    assert servers.operations(servers.create(networks='none')['id'])[0].args['nics'] == []
    nic, = servers.operations(servers.create(networks='auto')['id'])[0].args['nics']
    assert nic['network_id'] != servers.network


def test_description_was_the_name(servers: Servers) -> None:
    assert servers.row(servers.create(version='2.18')['id']).description == 'vm'
    assert servers.row(servers.create(version='2.19')['id']).description is None


def test_references_may_be_links(servers: Servers) -> None:
    key = servers.create(imageRef=f'http://images.example/v2/images/{servers.image}',
                         flavorRef=f'http://localhost/v2.1/flavors/{servers.flavor}')['id']
    row = servers.row(key)
    assert row.image is not None and (row.image.id, row.flavor.flavorid) == (servers.image, servers.flavor)


def test_what_the_command_line_sends(servers: Servers) -> None:
    device = {'uuid': servers.image, 'boot_index': 0, 'source_type': 'image', 'destination_type': 'local',
              'delete_on_termination': True}
    for reference in (servers.image, None, ''):
        key = servers.create(version='2.100', imageRef=reference, block_device_mapping_v2=[device], min_count=1,
                             max_count=1, key_name=None)['id']
        image = servers.row(key).image
        assert image is not None and image.id == servers.image


def test_several_with_a_reservation(servers: Servers) -> None:
    answer = servers.create(name='web', min_count='3', max_count=3, return_reservation_id=True)
    listed = servers.api('GET', f'/servers?reservation_id={answer["reservation_id"]}', version=LATEST)['servers']
    assert sorted(server['name'] for server in listed) == ['web-1', 'web-2', 'web-3']
    assert sorted(servers.row(server['id']).hostname for server in listed) == ['web-1', 'web-2', 'web-3']


@pytest.mark.parametrize(('name', 'stem'), [
    ('a' * 80, 'a' * 61), ('a' * 62 + '-b', 'a' * 61), ('a' * 60 + '-bcd', 'a' * 60), ('a' * 255, 'a' * 61),
    ('web', 'web'), ('Web 1_a.b', 'web-1-a-b'), ('-x-', 'x'), ('x日本語', 'x'), ('----', None), ('日本語', None),
    ('...', None), ('a' * 63, 'a' * 61)])
def test_host_names_of_several(servers: Servers, name: str, stem: str | None) -> None:
    answer = servers.create(name=name, max_count=2, min_count=2, return_reservation_id=True)
    path = f'/servers?reservation_id={answer["reservation_id"]}&sort_key=launch_index&sort_dir=asc'
    listed = servers.api('GET', path, version=LATEST)['servers']
    found = [servers.row(server['id']).hostname for server in listed]
    assert found == ([f'{stem}-1', f'{stem}-2'] if stem else [f'server-{server["id"]}' for server in listed])
    assert all(len(each) <= 63 for each in found)


def test_host_names_of_ten(servers: Servers) -> None:
    servers.create(name='a' * 80, min_count=10, max_count=10)
    found = {servers.row(server['id']).hostname for server in servers.api('GET', '/servers')['servers']}
    assert found == {*('a' * 61 + f'-{number}' for number in range(1, 10)), 'a' * 60 + '-10'}


@pytest.mark.parametrize(('name', 'hostname'), [
    ('a' * 80, 'a' * 63), ('----', None), ('日本語', None), ('web.1', 'web-1')])
def test_the_host_name_of_one(servers: Servers, name: str, hostname: str | None) -> None:
    key = servers.create(name=name, max_count=1)['id']
    assert servers.row(key).hostname == (hostname or f'server-{key}')


@pytest.mark.parametrize('version', ['2.90', '2.94', LATEST])
@pytest.mark.parametrize('counts', [{'max_count': 2}, {'min_count': 2}, {'min_count': '1', 'max_count': '3'}])
def test_one_host_name_is_not_for_several(servers: Servers, version: str, counts: dict[str, Any]) -> None:
    told = message(servers.create(400, version=version, hostname='host', **counts))
    assert 'hostname' in told and 'max_count' in told
    assert servers.api('GET', '/servers')['servers'] == []
    key = servers.create(version=version, hostname='host', min_count=1, max_count=1)['id']
    assert servers.row(key).hostname == 'host'
    servers.create(version=version, beside={'server': {**servers.request(**counts)['server'], 'hostname': None}})


def test_as_many_as_quota_has_room_for(servers: Servers) -> None:
    servers.api.conf.set_override('cores', 3, 'quota')
    servers.create(name='a')
    servers.create(name='b', min_count=1, max_count=5)
    names = {server['name'] for server in servers.api('GET', '/servers')['servers']}
    assert names == {'a', 'b-1', 'b-2'}
    assert message(servers.create(403)) == (
        'Quota exceeded for cores: Requested 1, but already used 3 of 3 cores')
    servers.api.conf.set_override('cores', 4, 'quota')
    servers.create(name='last', max_count=2)
    assert 'last' in {server['name'] for server in servers.api('GET', '/servers')['servers']}


def test_quota_of_metadata(servers: Servers) -> None:
    servers.api.conf.set_override('metadata_items', 1, 'quota')
    servers.create(metadata={'a': '1'})
    assert 'metadata_items' in message(servers.create(403, metadata={'a': '1', 'b': '2'}))
    assert servers.api('GET', '/limits')['limits']['absolute']['totalInstancesUsed'] == 1


def test_who_may(servers: Servers) -> None:
    servers.create(403, token=READER)
    servers.create(403, token=NOBODY)
    assert 'os_compute_api:servers:create' in message(servers.create(403, token=READER))
    assert 'requested_destination' in message(servers.create(403, host='h1'))
    assert 'forced_host' in message(servers.create(403, availability_zone='nova:h1'))


def test_destinations_of_administrators(servers: Servers) -> None:
    servers.api.add_host('h1')
    servers.network = servers.api.networks.add_network(project_id='p0', shared=True)
    args = servers.operations(servers.create(token=ADMIN, availability_zone='nova:h1')['id'])[0].args
    assert (args['zone'], args['host'], args['node']) == ('nova', 'h1', None)
    args = servers.operations(servers.create(token=ADMIN, hypervisor_hostname='h1')['id'])[0].args
    assert (args['host'], args['node']) == (None, 'h1')
    assert 'h9' in message(servers.create(400, token=ADMIN, host='h9'))
    assert 'availability_zone' in message(servers.create(400, token=ADMIN, host='h1', availability_zone='nova:h1'))
    assert 'three parts' in message(servers.create(400, token=ADMIN, availability_zone='a:b:c:d'))


def test_a_flavor_without_disk_is_for_administrators(servers: Servers) -> None:
    flavor = servers.add_flavor('diskless', ram=512, vcpus=1, disk=0)
    assert 'zero disk' in message(servers.create(403, flavorRef=flavor))
    servers.create(token='root:p1:admin', flavorRef=flavor)


def test_an_external_network_is_for_administrators(servers: Servers) -> None:
    outside = servers.api.networks.add_network(project_id='p1', name='public', external=True)
    assert outside in message(servers.create(403, networks=[{'uuid': outside}]))
    servers.create(token='root:p1:admin', networks=[{'uuid': outside}])


def test_security_groups_by_name_and_id(servers: Servers) -> None:
    asked = [{'name': 'web'}, {'name': servers.group}, {'name': 'default'}, {}]
    answer = servers.create(security_groups=asked)
    assert answer['security_groups'] == [{'name': 'web'}, {'name': servers.group}, {'name': 'default'}]
    assert servers.row(answer['id']).security_groups[0] == servers.group
    assert 'nope' in message(servers.create(400, security_groups=[{'name': 'nope'}]))
    servers.api.networks.add_group('p1', 'web')
    assert 'web' in message(servers.create(409, security_groups=[{'name': 'web'}]))


def test_the_id_of_a_security_group_wins_over_a_name(servers: Servers) -> None:
    named = servers.api.networks.add_group('p1', servers.group)
    server = servers.create(security_groups=[{'name': servers.group}])
    assert servers.row(server['id']).security_groups == (servers.group,)
    server = servers.create(security_groups=[{'name': named}, {'name': servers.group}, {'name': 'web'}])
    assert servers.row(server['id']).security_groups == (named, servers.group)


@pytest.mark.parametrize(('address', 'words'), [
    ('10.9.0.5', '10.0.0.0/24'), ('fd00::5', 'IPv6'), ('10.0.0.0', '10.0.0.0/24'), ('10.0.0.255', '10.0.0.0/24'),
    ('10.0.0.1', 'gateway')])
def test_an_address_that_no_subnet_has_is_refused(servers: Servers, address: str, words: str) -> None:
    for networks in ([{'uuid': servers.network, 'fixed_ip': address}],
                     [{'uuid': servers.network}, {'uuid': servers.network, 'fixed_ip': address}]):
        told = message(servers.create(400, networks=networks))
        assert words in told and address in told


def test_an_address_in_use_is_refused_and_its_holder_named(servers: Servers) -> None:
    networks = servers.api.networks
    wanted = [{'uuid': servers.network, 'fixed_ip': '10.0.0.77'}]
    port = networks.add_port(servers.network, project_id='p1', fixed_ip='10.0.0.77', device_id='another')
    told = message(servers.create(400, networks=wanted))
    assert '10.0.0.77' in told and port in told and 'another' in told
    # also where the holder is a port that is given in the same list
    networks.change_port(port, device_id='')
    assert port in message(servers.create(400, networks=[{'port': port}, *wanted]))
    networks.delete_port(None, port)
    assert 'twice' in message(servers.create(400, networks=wanted + wanted))
    servers.create(networks=wanted)


def test_only_the_owner_and_administrators_choose_addresses_of_a_shared_network(servers: Servers) -> None:
    networks = servers.api.networks
    shared = networks.add_network(project_id='p2', shared=True)
    wanted = [{'uuid': shared, 'fixed_ip': '10.0.0.77'}]
    told = message(servers.create(403, networks=wanted))
    assert shared in told and 'fixed_ip' in told
    servers.create(networks=[{'uuid': shared}])
    mine = networks.add_network(project_id='p1', shared=True)
    servers.create(networks=[{'uuid': mine, 'fixed_ip': '10.0.0.77'}])
    servers.create(networks=wanted, token=ADMIN)


def test_who_holds_an_address_on_a_shared_network_is_not_told_to_strangers(servers: Servers) -> None:
    networks = servers.api.networks
    shared = networks.add_network(project_id='p1', shared=True)
    port = networks.add_port(shared, project_id='p2', fixed_ip='10.0.0.77', device_id='another')
    told = message(servers.create(400, networks=[{'uuid': shared, 'fixed_ip': '10.0.0.77'}]))
    assert '10.0.0.77' in told and port not in told and 'another' not in told


def test_an_address_is_the_same_however_it_is_written(servers: Servers) -> None:
    networks = servers.api.networks
    network = networks.add_network(project_id='p1', cidr='fd00::/64')
    networks.add_port(network, project_id='p1', fixed_ip='fd00::77')
    assert 'fd00::77' in message(servers.create(400, networks=[{'uuid': network, 'fixed_ip': 'FD00:0:0:0:0:0:0:77'}]))


@pytest.mark.parametrize(('name', 'value'), [
    ('hw:cpu_policy', 'dedicated'), ('hw:mem_page_size', 'large'), ('hw:mem_encryption', 'true'),
    ('pci_passthrough:alias', 'gpu:1'), ('trait:CUSTOM_GPU', 'required'), ('resources:VGPU', '1'), ('ssd', 'true')])
def test_a_flavor_that_asks_for_what_is_not_done_is_refused(servers: Servers, name: str, value: str) -> None:
    """Such a flavor may be made, as in Nova; a server of it may not: nobody may believe that a guest is pinned."""
    flavor = str(uuid.uuid4())
    servers.api('POST', '/flavors', {'flavor': {'name': flavor, 'id': flavor, 'ram': 64, 'vcpus': 1, 'disk': 1}},
                token=ADMIN, status=200)
    servers.api('POST', f'/flavors/{flavor}/os-extra_specs', {'extra_specs': {name: value, 'vendor:key': 'x'}},
                token=ADMIN, status=200)
    told = message(servers.create(400, flavorRef=flavor))
    assert f'{name}={value}' in told and 'not supported yet' in told
    assert servers.api('GET', '/servers')['servers'] == []


@pytest.mark.parametrize(('name', 'value'), [
    ('hw_cpu_policy', 'dedicated'), ('os_secure_boot', 'required'), ('hw_mem_encryption', 'true')])
def test_an_image_that_asks_for_what_is_not_done_is_refused(servers: Servers, name: str, value: str) -> None:
    image = servers.api.images.add(Image(id=str(uuid.uuid4()), name='odd', disk_format='raw', properties={name: value}),
                                   b'x')
    told = message(servers.create(400, imageRef=image.id))
    assert f'{name}={value}' in told and 'not supported yet' in told


@pytest.mark.parametrize(('version', 'words'), [('2.62', 'Additional'), ('2.63', 'not supported yet')])
def test_certificates_are_refused_while_signatures_are_not_verified(servers: Servers, version: str, words: str) -> None:
    told = message(servers.create(400, version=version, trusted_image_certificates=['a']))
    assert 'trusted_image_certificates' in told and words in told


@pytest.mark.parametrize('hint', ['same_host', 'different_host'])
def test_hints_that_name_servers_of_others_are_refused(servers: Servers, hint: str) -> None:
    own, foreign = servers.insert().uuid, servers.insert(project_id='p2').uuid
    deleted, unknown = servers.insert(deleted=True).uuid, str(uuid.uuid4())
    for named in (own, [own], [own, servers.insert().uuid]):
        server = servers.create(beside={'os:scheduler_hints': {hint: named}})
        assert servers.row(server['id']).scheduler_hints == {hint: named}
    for bad in (foreign, deleted, unknown):
        for named in (bad, [own, bad]):
            told = message(servers.create(400, beside={'os:scheduler_hints': {hint: named}}))
            assert hint in told and bad in told


def test_a_port_of_another_project_is_refused_at_once(servers: Servers) -> None:
    network = servers.api.networks.add_network(project_id='p2', cidr='10.8.0.0/24')
    port = servers.api.networks.add_port(network, project_id='p2')
    assert port in message(servers.create(400, token='root:p1:admin', networks=[{'port': port}]))


def test_hints_of_every_form(servers: Servers) -> None:
    other = servers.insert().uuid
    for hints in ({'different_host': other}, {'different_host': [other]}, {'same_host': [other]},
                  {'anything': 'else'}, {'different_host': other, 'heat_stack_name': 'stack'}):
        for key in ('os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints'):
            made = servers.create(beside={key: hints}, networks='none')['id']
            assert servers.show(made)['scheduler_hints'] == hints
            servers.api('DELETE', f'/servers/{made}', status=204)
            servers.set(made, deleted=True)
            servers.api.conf.set_override('instances', -1, 'quota')
            servers.api.conf.set_override('cores', -1, 'quota')
    servers.create(400, beside={'os:scheduler_hints': {'different_host': 'x'}})
    assert 'group' in message(servers.create(400, beside={'os:scheduler_hints': {'group': 'x'}}))
    missing = '99999999-0000-4000-8000-000000000000'
    assert missing in message(servers.create(400, beside={'os:scheduler_hints': {'group': missing}}))


@pytest.mark.parametrize('key', ['os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints'])
@pytest.mark.parametrize(('hint', 'value'), [
    ('query', '["=", "$free_ram_mb", 1024]'), ('query', {}), ('cidr', '/24'), ('build_near_host_ip', '192.0.2.1'),
    ('target_cell', 'cell1'), ('different_cell', ['cell1'])])
def test_hints_that_nothing_reads_are_refused(servers: Servers, key: str, hint: str, value: Any) -> None:
    other = servers.insert().uuid
    for hints in ({hint: value}, {'different_host': other, hint: value}):
        told = message(servers.create(400, beside={key: hints}))
        assert f'hint {hint} is not supported' in told
        assert all(name in told for name in ('group', 'same_host', 'different_host'))


def test_hints_are_given_once(servers: Servers) -> None:
    one, other = {'same_host': servers.insert().uuid}, {'same_host': servers.insert().uuid}
    both = 'os:scheduler_hints', 'OS-SCH-HNT:scheduler_hints'
    told = message(servers.create(400, beside=dict(zip(both, (one, other), strict=True))))
    assert all(key in told for key in both)
    made = servers.create(beside=dict(zip(both, (one, one), strict=True)))['id']
    assert servers.show(made)['scheduler_hints'] == one
