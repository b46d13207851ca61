"""Two hosts with the libvirt driver on a libvirtd in memory, and a move between them, leg by leg."""

from __future__ import annotations

import dataclasses
import pathlib
import threading
from typing import Any

from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import exception
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.objects.instance import Instance
from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE, ConfirmArgs
from compute.objects.kinds.delete import DELETE
from compute.objects.kinds.kind import DESTINATION, SOURCE
from compute.objects.kinds.moving import MoveArgs, MovePlan
from compute.objects.kinds.resize import RESIZE
from compute.objects.kinds.revert_resize import REVERT_RESIZE, RevertArgs
from compute.objects.operation import InstanceUpdate, Operation, OperationRef, Work
from compute.objects.value import decode, encode
from compute.virt.driver import Guest
from compute.worker.confirm_resize import ConfirmResize
from compute.worker.delete import Delete
from compute.worker.events import EventBook
from compute.worker.guest import unnamed
from compute.worker.job import Job
from compute.worker.moved_files import MovedFiles
from compute.worker.nics import Nics
from compute.worker.resize import Resize
from compute.worker.revert_resize import RevertResize
from compute.worker.transfer.source import Transfers
from tests.contract.virt import fake_libvirt
from tests.contract.virt.making import make_instance
from tests.contract.virt.moves import with_flavor, write

DATA = bytes(range(256)) * 4096
_KINDS = {kind.name: kind for kind in (RESIZE, CONFIRM_RESIZE, REVERT_RESIZE, DELETE)}


class Ledger:
    """Stands for the reporter."""

    host = 'h1'

    def __init__(self, work: Work) -> None:
        self._work = work
        self.stages: list[str] = []

    def begin(self, context: Any, operation_id: int) -> Work:
        return self._work

    def progress(self, context: Any, operation_id: int, stage: str, *_: Any, **__: Any) -> None:
        self.stages.append(stage)

    def holds(self, operation_id: int) -> bool:
        return True


class Site:
    """One host. ``restart`` gives it a new worker."""

    def __init__(self, name: str, root: pathlib.Path, conf: cfg.ConfigOpts, images: FakeImages) -> None:
        self.name, self.root, self._conf, self._images = name, root, conf, images
        self.connection, self.networks = fake_libvirt.Connection(), FakeNetworks()
        self.transfers = Transfers(conf)
        self.restart()

    def restart(self) -> None:
        """Start another worker; the one before it is gone with its offers."""
        self.transfers.stop()
        conf, driver = self._conf, fake_libvirt.make_driver(self.root, self.connection, self.name)
        self.driver, self.transfers = driver, Transfers(conf)
        files = MovedFiles(conf, driver, self.transfers)
        nics = Nics(conf, self.name, self.networks, EventBook())
        self.handlers: dict[str, Any] = {
            'resize': Resize(conf, driver, self._images, nics, files, unnamed),
            'confirm_resize': ConfirmResize(driver, files), 'delete': Delete(driver, self.networks, files),
            'revert_resize': RevertResize(conf, driver, nics, files, unnamed)}

    def folders(self, instance: Instance) -> list[str]:
        """Return what is here of a guest."""
        return sorted(path.name.removeprefix(instance.uuid) for path in self.root.glob(f'{instance.uuid}*'))

    def disk(self, instance: Instance) -> pathlib.Path:
        """Return the root disk of a guest."""
        return self.root / instance.uuid / 'disk'


class Move:
    """A server that runs on host ``a`` and is resized to host ``b``."""

    def __init__(self, folder: pathlib.Path, **flavor: int) -> None:
        self.conf = options.register(cfg.ConfigOpts())
        self.conf([], project='compute', default_config_files=[], default_config_dirs=[])
        self.conf.set_override('shutdown_timeout', 0, 'worker')
        self.images = FakeImages()
        image = self.images.add(data=DATA)
        self.a, self.b = (Site(name, folder / name, self.conf, self.images) for name in 'ab')
        self.instance = make_instance(image, flavor={'ephemeral_gb': 1})
        self.guest = Guest(instance=self.instance)
        self.larger = with_flavor(self.guest, **(flavor or {'root_gb': 2, 'vcpus': 2}))
        self.plan = MovePlan(source='a', destination='b', destination_address='127.0.0.1')
        self.stage = ''
        self.a.driver.prepare(self.instance, lambda image_id: self.images.download(None, image_id))
        self.a.driver.spawn(self.guest)
        self.a.driver.power_off(self.instance, 0)
        write(self.a.disk(self.instance), 0x5a)
        self.a.driver.power_on(self.guest)

    def job(self, kind: str, place: str, args: Any = None, stage: str = '', **values: Any) -> Job:
        """Return an operation that begins at a place; ``stage``: it was there before."""
        if args is None:
            args = MoveArgs(flavor=self.larger.instance.flavor, vm_state='active')
        number = next((at for at, leg in enumerate(_KINDS[kind].legs) if leg.place == place), 0)
        operation = Operation(id=1, request_id='r', kind=kind, instance_uuid=self.instance.uuid, leg=number,
                              stage=stage, args=encode(args), plan=encode(self.plan))
        ref = OperationRef(operation_id=1, kind=kind, instance_uuid=self.instance.uuid)
        instance = values.pop('instance', self.instance)
        job = Job(ctx.internal(), ref, Ledger(Work(operation=operation, instance=instance)))  # type: ignore[arg-type]
        job.begin()
        return job

    def leave(self) -> None:
        """Run the leg of the source; the plan has what it found."""
        job = self.job('resize', SOURCE)
        update: InstanceUpdate = self.a.handlers['resize'].run(job)
        assert update.power_state == 4
        if job.carry is not None:
            found = decode(type(job.carry), encode(job.carry))
            self.plan = dataclasses.replace(self.plan, offer=found.offer)

    def arrive(self, stage: str = '', cancelled: threading.Event | None = None) -> InstanceUpdate:
        """Run the leg of the destination; ``stage``: go on from there."""
        job = self.job('resize', DESTINATION, stage=stage)
        job.cancelled = cancelled or job.cancelled
        handler = self.b.handlers['resize']
        if stage:
            handler.recover(job)
        update: InstanceUpdate = handler.run(job)
        return update

    def undo(self, place: str) -> None:
        """Undo the leg of a place."""
        site = self.a if place == SOURCE else self.b
        site.handlers['resize'].undo(self.job('resize', place))

    def confirm(self) -> None:
        """Confirm it at the source."""
        self.a.handlers['confirm_resize'].run(self.job('confirm_resize', SOURCE, ConfirmArgs(vm_state='active')))

    def revert(self) -> None:
        """Revert it at both hosts."""
        args = RevertArgs(flavor=self.instance.flavor, vm_state='active')
        self.b.handlers['revert_resize'].run(self.job('revert_resize', DESTINATION, args))
        self.a.handlers['revert_resize'].run(self.job('revert_resize', SOURCE, args))

    def power(self, site: Site) -> int | None:
        """Return the power state of the guest on a host; None where it is not."""
        try:
            return site.driver.guest_info(self.instance.uuid).power_state
        except exception.NotFound:
            return None

    def close(self) -> None:
        """End what listens."""
        for site in (self.a, self.b):
            site.transfers.stop()
