"""The config drive of a guest on its host."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from compute.clients.fake.network import FakeNetworks
from compute.clients.group_names import GroupNames
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.worker.guest import guest_of

OPTIONS = SimpleNamespace(force_config_drive=False)
SERVER = Instance(id=1, uuid='u', project_id='p', user_id='x', name='vm',
                  flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64), config_drive=True)


@pytest.mark.parametrize('gone', [False, True])
def test_the_config_drive_has_the_names_of_security_groups(gone: bool) -> None:
    networks = FakeNetworks()
    group = networks.add_group('p', 'web')
    nic = Nic(port_id='port', network_id='net', mac='fa:16:3e:00:00:01', security_groups=('gone' if gone else group,))
    drive = guest_of(OPTIONS, SERVER, (nic,), GroupNames(networks).of).config_drive
    assert drive is not None
    assert json.loads(drive['ec2/latest/meta-data.json'])['security-groups'] == ('' if gone else 'web')
