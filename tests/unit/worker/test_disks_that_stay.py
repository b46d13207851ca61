"""A guest whose disks cannot be removed: what can be given back is, and somebody is told."""

from __future__ import annotations

import pytest

from compute import exception
from tests.unit.worker.test_operations import Host

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
