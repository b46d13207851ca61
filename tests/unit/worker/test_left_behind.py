"""What attempts leave behind: disks that cannot be removed, ports that go while the next attempt takes them over."""

from __future__ import annotations

from typing import Any

import pytest

from compute import exception
from compute.objects.nic import NicRequest
from tests.unit.worker.test_operations import UUID, Host

STAYS = exception.Failed('disk: Read-only file system', code='disk_remove')


@pytest.fixture
def host() -> Host:
    return Host()


def test_a_lost_creation_gives_its_ports_back(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    def lost() -> None:
        host.conductor.stale = True
        host.driver.fail_next('destroy', STAYS)
    host.conductor.at['spawning'] = lost
    assert host.run(host.work('create')) is None
    assert host.networks.ports == []
    assert 'what was made of it here stays: disk: Read-only file system' in caplog.text
    assert not [record for record in caplog.records if record.exc_info], 'it is no surprise'


def test_a_failed_creation_is_not_tried_elsewhere(host: Host) -> None:
    host.driver.fail_next('spawn', exception.Retry('no memory', code='guest_start'))
    host.driver.fail_next('destroy', STAYS)
    ended = host.run(host.work('create'))
    assert ended is not None and ended[0] == 'fail'
    assert ended[1][0].code == 'guest_left_behind' and 'Read-only' in ended[1][0].message
    assert host.networks.ports == []


def test_a_port_of_the_attempt_before_goes_while_it_is_taken_over(host: Host) -> None:
    """Whoever made it was paused, and gives it back when it learns that the operation is another host's."""
    host.networks.create_port(None, host.network, project_id='p1', device_id=UUID, host='h2')
    bind = host.networks.bind_port

    def too_late(context: Any, port_id: str, **where: Any) -> Any:
        host.networks.delete_port(None, port_id)
        return bind(context, port_id, **where)
    host.networks.bind_port = too_late  # type: ignore[method-assign]
    ended = host.run(host.work('create', nics=(NicRequest(network_id=host.network),), attempt=1))
    assert ended is not None and ended[0] == 'finish'
    assert [port.host for port in host.networks.ports] == ['h1']
