"""What guests are told: the same documents by metadata and config drive, and only to whom they belong."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from compute.exception import NotFound
from compute.metadata import documents
from compute.metadata.app import Metadata
from compute.metadata.identity import signature
from compute.objects import ec2_documents, guest_documents
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.objects.nic import FixedIp, Nic, Subnet

NIC = Nic(port_id='port', network_id='net', network_name='private', mac='fa:16:3e:00:00:01', device='tapport',
          vif_type='tap', tag='front', security_groups=('g-1', 'g-2', 'g-gone'),
          fixed_ips=(FixedIp(address='10.0.0.5', subnet_id='sub'),),
          subnets=(Subnet(id='sub', cidr='10.0.0.0/24', gateway='10.0.0.1', dns=('9.9.9.9',), enable_dhcp=False),))
SERVER = Instance(id=10, uuid='u-1', project_id='p-1', user_id='x', name='My server', hostname='my-server',
                  flavor=Flavor(flavorid='1', name='m1', vcpus=1, memory_mb=64), key_name='k', key_data='ssh-ed25519 A',
                  image=Image(id='abcdef01-0000-4000-8000-000000000000'), availability_zone='nova', nics=(NIC,),
                  metadata={'role': 'web'}, user_data=base64.b64encode(b'#!/bin/sh\n').decode(), reservation_id='r-1')


GROUPS = {'g-1': 'web', 'g-2': 'ssh'}


def names(ids: Iterable[str]) -> dict[str, str]:
    return {key: GROUPS[key] for key in ids if key in GROUPS}


def lookup(path: str) -> bytes:
    return documents.lookup(SERVER, path, names)


def load(path: str) -> Any:
    return json.loads(lookup(path))


def test_openstack_tree() -> None:
    found = load('/openstack/latest/meta_data.json')
    assert (found['uuid'], found['hostname'], found['meta'], found['project_id']) == (
        'u-1', 'my-server.novalocal', {'role': 'web'}, 'p-1')
    assert found['public_keys'] == {'k': 'ssh-ed25519 A'} and found['devices'][0]['tags'] == ['front']
    assert lookup('/openstack/latest/user_data') == b'#!/bin/sh\n'
    network = load('/openstack/latest/network_data.json')
    assert network['networks'][0]['ip_address'] == '10.0.0.5'
    assert network['networks'][0]['routes'][0] == {'network': '0.0.0.0', 'netmask': '0.0.0.0', 'gateway': '10.0.0.1'}


@pytest.mark.parametrize(('version', 'has', 'lacks'), [
    ('2012-08-10', {'meta_data.json', 'user_data'}, {'vendor_data.json', 'network_data.json'}),
    ('2013-10-17', {'vendor_data.json'}, {'network_data.json'}),
    ('2015-10-15', {'network_data.json'}, {'vendor_data2.json'}),
    ('2016-10-06', {'vendor_data2.json'}, set()), ('latest', {'vendor_data2.json', 'password'}, set())])
def test_versions_only_add(version: str, has: set[str], lacks: set[str]) -> None:
    names = set(lookup(f'/openstack/{version}').decode().split('\n'))
    assert has <= names and not lacks & names


def test_ec2_tree() -> None:
    assert lookup('/latest/meta-data/instance-id') == b'i-0000000a'
    assert lookup('/2009-04-04/meta-data/local-ipv4') == b'10.0.0.5'
    assert lookup('/latest/meta-data/public-keys/') == b'0=k'
    assert lookup('/latest/meta-data/public-keys/0/openssh-key') == b'ssh-ed25519 A'
    assert b'placement/' in lookup('/latest/meta-data/')
    assert lookup('/latest/user-data') == b'#!/bin/sh\n'
    with pytest.raises(NotFound):
        lookup('/1.0/meta-data/placement/')


def test_security_groups_are_names_by_metadata_and_config_drive() -> None:
    assert lookup('/latest/meta-data/security-groups') == b'web\nssh'
    drive = guest_documents.tree(SERVER, SERVER.nics, GROUPS)
    assert json.loads(drive['ec2/latest/meta-data.json'])['security-groups'] == 'web\nssh'


def test_only_the_ec2_tree_asks_for_names_of_groups() -> None:
    def ask(ids: Iterable[str]) -> dict[str, str]:
        raise AssertionError(f'names of {ids} were asked for')
    assert documents.lookup(SERVER, '/openstack/latest/meta_data.json', ask)


def test_every_ec2_version_has_the_one_before_in_it() -> None:
    keys = [set(ec2_documents.meta_data(SERVER, SERVER.nics, version, GROUPS)) for version in ec2_documents.VERSIONS]
    assert all(older <= newer for older, newer in zip(keys, keys[1:], strict=False))


def test_the_config_drive_is_the_same_tree() -> None:
    tree = guest_documents.tree(SERVER, SERVER.nics, GROUPS, admin_pass='pw')
    drive = json.loads(tree['openstack/latest/meta_data.json'])
    served = load('/openstack/latest/meta_data.json')
    assert drive.pop('admin_pass') == 'pw' and 'admin_pass' not in served
    for document in (drive, served):
        document.pop('random_seed')
    assert drive == served
    assert tree['openstack/latest/network_data.json'] == lookup('/openstack/latest/network_data.json')


class Site:
    """The application with one server."""

    def __init__(self) -> None:
        self.app = Metadata(SimpleNamespace(db=None, group_names=SimpleNamespace(of=names), conf=SimpleNamespace(
            metadata=SimpleNamespace(shared_secret='s', cache_time=15.0))))
        self.app._instance = lambda uuid: SERVER  # type: ignore[method-assign]

    def get(self, path: str, **headers: str) -> tuple[str, bytes]:
        environ = {'REQUEST_METHOD': 'GET', 'PATH_INFO': path, 'wsgi.input': io.BytesIO(),
                   **{f'HTTP_{key}': value for key, value in headers.items()}}
        status = []
        body = b''.join(self.app(environ, lambda line, headers: status.append(line)))
        return status[0], body


@pytest.mark.parametrize(('headers', 'status'), [
    ({}, '404'), ({'X_INSTANCE_ID': 'u-1'}, '403'), ({'X_INSTANCE_ID': 'u-1', 'X_INSTANCE_ID_SIGNATURE': 'x'}, '403'),
    ({'X_INSTANCE_ID': 'u-1', 'X_INSTANCE_ID_SIGNATURE': signature('s', 'u-2')}, '403'),
    ({'X_INSTANCE_ID': 'u-1', 'X_INSTANCE_ID_SIGNATURE': signature('s', 'u-1'), 'X_TENANT_ID': 'p-2'}, '404'),
    ({'X_INSTANCE_ID': 'u-1', 'X_INSTANCE_ID_SIGNATURE': signature('s', 'u-1'), 'X_TENANT_ID': 'p-1'}, '200')])
def test_identity_cannot_be_forged(headers: dict[str, str], status: str) -> None:
    assert Site().get('/openstack/latest/meta_data.json', **headers)[0].startswith(status)


@pytest.mark.parametrize('content', [b'\xff\xff', b'a\x00', b'\x1b[', b'\x7f\x7f'])
def test_a_password_that_no_encoded_one_can_be_is_the_guests_fault(content: bytes) -> None:
    app = Metadata(SimpleNamespace(
        db=SimpleNamespace(read=lambda function: SERVER), group_names=SimpleNamespace(of=names), conf=SimpleNamespace(
        metadata=SimpleNamespace(shared_secret='s', cache_time=1))))
    environ = {'REQUEST_METHOD': 'POST', 'PATH_INFO': '/openstack/latest/password', 'HTTP_X_INSTANCE_ID': 'u-1',
               'HTTP_X_INSTANCE_ID_SIGNATURE': signature('s', 'u-1'), 'CONTENT_LENGTH': '2',
               'wsgi.input': io.BytesIO(content)}
    said: list[str] = []
    app(environ, lambda status, headers: said.append(status))
    assert said == ['400 Bad Request']
