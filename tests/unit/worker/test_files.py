"""Files that the user put into a server are on its config drive whenever its guest is started."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.unit.worker.test_operations import Host


@pytest.mark.parametrize(('kind', 'method'), [
    ('create', 'spawn'), ('start', 'power_on'), ('reboot', 'reboot_soft'), ('reboot_hard', 'reboot_hard')])
def test_files_reach_the_guest_with_every_start(monkeypatch: pytest.MonkeyPatch, kind: str, method: str) -> None:
    host, seen = Host(), []
    instance = host.instance(file_paths=('/etc/motd',), config_drive=False)
    assert host.run(host.work('create', instance))
    act = getattr(host.driver, method)

    def noted(guest: Any, *more: Any) -> Any:
        seen.append(guest.config_drive)
        return act(guest, *more)
    monkeypatch.setattr(host.driver, method, noted)
    work = dataclasses.replace(host.work(kind, instance), files=('aGVsbG8=',))
    host.conductor.works[work.operation.id] = work
    ended = host.run(work)
    assert ended is not None and ended[0] == 'finish'
    assert [drive['openstack/content/0000'] for drive in seen] == [b'hello']
