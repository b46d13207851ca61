"""What a driver is given: the config drive with names of groups and the files that the user put into the server."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from compute.clients.fake.network import FakeNetworks
from compute.clients.group_names import GroupNames
from compute.objects.nic import Nic
from compute.worker.guest import guest_of
from tests.contract.virt.making import make_image, make_instance

OPTIONS = SimpleNamespace(force_config_drive=False)
FILES = tuple(base64.b64encode(content).decode() for content in (b'hello', bytes(range(256))))


def drive(paths: tuple[str, ...], files: tuple[str, ...], **values: Any) -> dict[str, bytes] | None:
    server = make_instance(make_image(b'x'), file_paths=paths, **values)
    return guest_of(OPTIONS, server, (), GroupNames(FakeNetworks()).of, files=files).config_drive


def test_files_make_a_config_drive() -> None:
    """Programs in guests write files from there only: with the metadata service alone they would not come."""
    found = drive(('/etc/motd', '/b'), FILES)
    assert found is not None
    assert (found['openstack/content/0000'], found['openstack/content/0001']) == (b'hello', bytes(range(256)))
    for version in ('2012-08-10', 'latest'):
        told = json.loads(found[f'openstack/{version}/meta_data.json'])['files']
        assert told == [{'path': '/etc/motd', 'content_path': '/content/0000'},
                        {'path': '/b', 'content_path': '/content/0001'}]


def test_a_server_without_files_has_none() -> None:
    assert drive((), ()) is None
    found = drive((), (), config_drive=True)
    assert found is not None and not [name for name in found if 'content' in name]
    assert 'files' not in json.loads(found['openstack/latest/meta_data.json'])


@pytest.mark.parametrize('files', [(), FILES[:1]])
def test_no_file_is_listed_that_is_not_there(files: tuple[str, ...]) -> None:
    """A worker that starts again has no contents: the drive is there already, else it comes without files."""
    found = drive(('/etc/motd', '/b'), files)
    assert found is not None and 'files' not in json.loads(found['openstack/latest/meta_data.json'])
    assert not [name for name in found if 'content' in name]


@pytest.mark.parametrize('gone', [False, True])
def test_the_config_drive_has_the_names_of_security_groups(gone: bool) -> None:
    networks = FakeNetworks()
    group = networks.add_group('p', 'web')
    nic = Nic(port_id='port', network_id='net', mac='fa:16:3e:00:00:01', security_groups=('gone' if gone else group,))
    drive = guest_of(OPTIONS, make_instance(make_image(b'x'), config_drive=True), (nic,),
                     GroupNames(networks).of).config_drive
    assert drive is not None
    assert json.loads(drive['ec2/latest/meta-data.json'])['security-groups'] == ('' if gone else 'web')
