"""The files of a guest: what cannot be removed is told, and power is not cut for a guest that could not start."""

from __future__ import annotations

import errno
import os
import pathlib
from typing import Any

import pytest

from compute import exception
from compute.objects.nic import Nic
from compute.virt.driver import Guest
from compute.virt.libvirt.capabilities import Capabilities
from compute.virt.libvirt.disks import Disks
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.lifecycle import Lifecycle
from compute.virt.libvirt.paths import GuestPaths, Paths
from tests.contract.virt.making import make_conf, make_image, make_instance


@pytest.fixture
def files(tmp_path: pathlib.Path) -> GuestPaths:
    made = GuestPaths(tmp_path / 'guest')
    made.make()
    made.disk.write_bytes(b'disk')
    return made


def test_files_are_removed_and_may_be_gone_already(files: GuestPaths) -> None:
    for _ in range(2):
        files.remove()
        assert not files.folder.exists()


@pytest.mark.parametrize('number', [errno.EIO, errno.EROFS, errno.EPERM, errno.EACCES])
def test_a_disk_that_stays_is_told(files: GuestPaths, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(path: Any, *args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number), path)
    with monkeypatch.context() as patch:
        patch.setattr(os, 'unlink', refuse)
        with pytest.raises(exception.Failed) as caught:
            files.remove()
    assert caught.value.code == 'disk_remove' and caught.value.hint
    assert str(files.folder) in caught.value.message and os.strerror(number) in caught.value.message
    assert files.disk.exists()
    files.remove()
    assert not files.folder.exists()


def test_what_vanishes_meanwhile_is_no_error(files: GuestPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    unlink = os.unlink

    def too_late(path: Any, *args: Any, **kwargs: Any) -> None:
        unlink(path, *args, **kwargs)
        raise FileNotFoundError(errno.ENOENT, 'gone', path)
    monkeypatch.setattr(os, 'unlink', too_late)
    files.remove()
    assert not files.folder.exists()


class Running(Lifecycle):
    """The libvirt driver's lifecycle with a domain that notes what is asked of it."""

    def __init__(self, root: pathlib.Path) -> None:
        conf, paths = make_conf(libvirt={'instances_path': str(root)}), Paths(str(root))
        host = Host(conf)
        super().__init__(conf, host, Capabilities(conf, host), paths,
                         Disks('none', paths, ImageCache(conf, paths, 'host-1')))
        self.asked: list[str] = []

    def _ours(self, instance: Any) -> Any:
        return self

    def cut_power(self) -> None:
        """Note it."""
        self.asked.append('cut_power')


UNBOUND = Nic(port_id='p-1', network_id='n-1', mac='x', vif_type='unbound')
NO_TAP = Nic(port_id='p-1', network_id='n-1', mac='x', vif_type='tap', device='no-such-tap')


@pytest.mark.parametrize(('nics', 'properties', 'disk', 'code'), [
    ((UNBOUND,), {}, True, 'port_binding_failed'), ((NO_TAP,), {}, True, 'vif_missing'),
    ((), {'hw_disk_bus': 'floppy'}, True, 'bad_property'), ((), {}, False, 'disk_missing')])
def test_a_hard_reboot_that_cannot_start_leaves_the_guest_running(
        tmp_path: pathlib.Path, nics: tuple[Nic, ...], properties: dict[str, str], disk: bool, code: str) -> None:
    lifecycle = Running(tmp_path)
    guest = Guest(instance=make_instance(make_image(b'', properties=properties)), nics=nics)
    files = lifecycle._paths.of(guest.instance)
    if disk:
        files.folder.mkdir()
        files.disk.touch()
    with pytest.raises(exception.ComputeError) as caught:
        lifecycle.reboot_hard(guest)
    assert (caught.value.code, lifecycle.asked) == (code, [])
