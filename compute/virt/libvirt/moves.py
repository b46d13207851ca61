"""Set guests aside, adopt and restore them.

A guest is set aside when its folder has another name; the rename is the moment, and the definition is removed after
it. So what a call that was cut off left can be told from the folders, and each call goes on from there:

=====================  ==================================================================================
folders                meaning
=====================  ==================================================================================
``UUID``               the guest is here; without a definition: a restore, or a spawn, was cut off
``UUID_resize``        it is set aside; with a definition: ``set_aside`` was cut off
both                   it is set aside and was adopted here, in whole or in part
``UUID_dropped``       it was set aside and is gone; its removal was cut off
=====================  ==================================================================================
"""

from __future__ import annotations

import logging
import pathlib

from oslo_config import cfg

from compute import exception
from compute.objects.instance import Instance
from compute.virt import hardware
from compute.virt.driver import Guest
from compute.virt.libvirt.adoption import Adoption
from compute.virt.libvirt.disks import Disks
from compute.virt.libvirt.guest import OFF, Domain
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.images import ImageCache
from compute.virt.libvirt.lifecycle import Lifecycle, not_made
from compute.virt.libvirt.paths import GuestPaths, Paths

LOG = logging.getLogger(__name__)
_AT_START = 'it is tried again when this worker starts'


class LibvirtMoves:
    """``driver.Moves`` on libvirt."""

    def __init__(self, conf: cfg.ConfigOpts, host: Host, paths: Paths, images: ImageCache, disks: Disks,
                 lifecycle: Lifecycle) -> None:
        self._host, self._paths, self._images = host, paths, images
        self._disks, self._lifecycle = disks, lifecycle
        self._adoption = Adoption(conf, paths, images)

    def clean(self) -> None:
        """Remove what was dropped, where that was cut off or failed before."""
        for paths in self._paths.all_dropped():
            _remove(paths, _AT_START)

    def set_aside(self, instance: Instance) -> dict[str, pathlib.Path]:
        """See the contract. UEFI variables are not among the files; they are removed with the definition."""
        here, aside = self._paths.of(instance), self._paths.aside(instance)
        if not aside.folder.exists():
            self._check_off(instance, defined=not here.folder.exists())
            self._rename(instance, here, aside)
        if not here.folder.exists():
            self._undefine(instance, here, aside)
        return aside.files()

    def adopt(self, guest: Guest, files: dict[str, pathlib.Path]) -> None:
        """See the contract."""
        instance = guest.instance
        plan = hardware.plan(instance)
        for nic in guest.nics:
            hardware.check_bound(nic)
        self._adoption.check(instance, files)
        self._lifecycle.remove(instance)
        try:
            self._adoption.make(guest, files)
            self._lifecycle.define(guest, plan)
        except Exception as error:
            self._lifecycle.undo(instance, error)
            raise not_made(error, 'the guest was not defined') from error
        self.drop_incoming(instance)

    def incoming(self, instance: Instance) -> pathlib.Path | None:
        """See the contract."""
        folder = self._paths.incoming(instance).folder
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise exception.Failed(f'the folder {folder} cannot be made: {error.strerror or error}',
                                   code='instances_path') from error
        return folder

    def drop_incoming(self, instance: Instance) -> None:
        """See the contract."""
        _remove(self._paths.incoming(instance), 'it is removed with the guest')

    def restore(self, guest: Guest) -> None:
        """See the contract."""
        instance = guest.instance
        here, aside = self._paths.of(instance), self._paths.aside(instance)
        plan = hardware.plan(instance)
        if aside.folder.exists():
            self._lifecycle.remove(instance)
            self._rename(instance, aside, here)
        if here.folder.exists() and not self._is_defined(instance):
            self._disks.check(instance)
            self._lifecycle.define(guest, plan)

    def drop_aside(self, instance: Instance) -> None:
        """See the contract. Files that cannot be removed are removed at a later start: nothing is aside any more.

        :raises Failed: ``disk_remove``: what was dropped before is still in the way.
        """
        aside, dropped = self._paths.aside(instance), self._paths.dropped(instance)
        if aside.folder.exists():
            dropped.remove()
            self._rename(instance, aside, dropped)
        _remove(dropped, _AT_START)

    def is_aside(self, instance: Instance) -> bool:
        """See the contract."""
        return self._paths.aside(instance).folder.is_dir()

    def all_incoming(self) -> list[str]:
        """See the contract."""
        return self._paths.all_incoming()

    def all_aside(self) -> list[str]:
        """See the contract."""
        return self._paths.all_aside()

    # -- inside --

    def _check_off(self, instance: Instance, *, defined: bool) -> None:
        """Return if the guest is off. :param defined: whether it has to have a definition.

        :raises Failed: ``guest_running``. :raises NotFound: there is no such guest.
        """
        domain = Domain(self._host, instance.uuid)
        try:
            domain.check_ours()
            if domain.power_state() not in OFF:
                raise exception.Failed(f'guest {instance.uuid} runs: it cannot be set aside', code='guest_running')
        except exception.NotFound:
            if defined:
                raise

    def _undefine(self, instance: Instance, here: GuestPaths, aside: GuestPaths) -> None:
        """Let libvirt forget a guest whose folder was renamed, unless it was started in the meantime."""
        try:
            self._check_off(instance, defined=True)
            Domain(self._host, instance.uuid).undefine()
        except exception.NotFound:
            pass
        except exception.Failed as error:
            if error.code == 'guest_running':
                self._rename(instance, aside, here)
            raise

    def _rename(self, instance: Instance, source: GuestPaths, target: GuestPaths) -> None:
        """Rename a folder. Nobody may see neither of the names: its image would look unused."""
        with self._images.held(instance.image):
            try:
                source.folder.rename(target.folder)
            except FileNotFoundError as error:
                raise exception.Failed(f'the files of guest {instance.uuid} are gone: there is no {source.folder}',
                                       code='disk_missing') from error
            except OSError as error:
                raise exception.Failed(f'the folder {source.folder} cannot be renamed to {target.folder.name}: '
                                       f'{error.strerror or error}', code='instances_path') from error

    def _is_defined(self, instance: Instance) -> bool:
        try:
            Domain(self._host, instance.uuid).info()
        except exception.NotFound:
            return False
        return True


def _remove(paths: GuestPaths, when: str) -> None:
    """Remove a folder that is of no use any more. Where that fails it is done later."""
    try:
        paths.remove()
    except exception.Failed as error:
        LOG.error('%s; %s', error.message, when)
