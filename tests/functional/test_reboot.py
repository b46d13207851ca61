"""Reboot, softly and hard."""

from __future__ import annotations

import pytest

from tests.functional.standalone import Client, Cloud


@pytest.mark.parametrize('how', ['SOFT', 'HARD'])
def test_reboot(client: Client, cloud: Cloud, how: str) -> None:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    assert client.act(uuid, 'reboot', {'type': how}).status_code == 202
    client.wait(uuid, 'ACTIVE')
    actions = client.ok('GET', 'compute', f'/servers/{uuid}/os-instance-actions')['instanceActions']
    assert [action['action'] for action in actions] == ['reboot', 'create']
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)


def test_soft_reboot_needs_a_running_server(client: Client, cloud: Cloud) -> None:
    uuid = cloud.create()
    client.wait(uuid, 'ACTIVE')
    client.act(uuid, 'os-stop')
    client.wait(uuid, 'SHUTOFF')
    assert client.act(uuid, 'reboot', {'type': 'SOFT'}).status_code == 409
    assert client.act(uuid, 'reboot', {'type': 'HARD'}).status_code == 202
    client.wait(uuid, 'ACTIVE')
    client.call('DELETE', 'compute', f'/servers/{uuid}')
    client.gone(uuid)
