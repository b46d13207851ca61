"""One host's worker: registers, takes over what its predecessor left, serves, reports.

A worker is new at every start: a fresh incarnation, after which reports of the one before it are refused. Where the
process before still lives, this one waits until that can no longer act (``takeover``).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
import uuid as uuids
from collections.abc import Callable, Iterator
from typing import Any

from compute import exception, metrics
from compute.clients.group_names import GroupNames
from compute.clients.image import Images
from compute.clients.network import Networks
from compute.clients.probe import neighbour
from compute.concurrency import Periodic
from compute.health import DOWN, Health, Probe, timed, writable
from compute.objects.host import Inventory
from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE
from compute.objects.kinds.create import CREATE
from compute.objects.kinds.delete import DELETE
from compute.objects.kinds.migrate import MIGRATE
from compute.objects.kinds.pause import PAUSE
from compute.objects.kinds.reboot import HARD_REBOOT, REBOOT
from compute.objects.kinds.resize import RESIZE
from compute.objects.kinds.resume import RESUME
from compute.objects.kinds.revert_resize import REVERT_RESIZE
from compute.objects.kinds.start import START
from compute.objects.kinds.stop import STOP
from compute.objects.kinds.suspend import SUSPEND
from compute.objects.kinds.unpause import UNPAUSE
from compute.objects.registration import HostReport, Registration
from compute.rpc.interface import Interface
from compute.rpc.probe import broker
from compute.rpc.transport import Rpc
from compute.virt.driver import Driver, GuestEvent
from compute.worker import node
from compute.worker.confirm_resize import ConfirmResize
from compute.worker.console import ConsolesEndpoint
from compute.worker.create import Create
from compute.worker.delete import Delete
from compute.worker.endpoints import HostOperations
from compute.worker.events import EventBook, EventsEndpoint
from compute.worker.host_lock import HostLock
from compute.worker.inspection import InspectionEndpoint
from compute.worker.job import Moment
from compute.worker.migrate import Migrate
from compute.worker.moved_files import MovedFiles
from compute.worker.nics import Nics
from compute.worker.pause import Pause
from compute.worker.periodic.image_cache import ImageCacheTask
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.reboot import Reboot
from compute.worker.recovery import Recovery
from compute.worker.reports import Reporter
from compute.worker.resize import Resize
from compute.worker.resume import Resume
from compute.worker.revert_resize import RevertResize
from compute.worker.runner import HostHandler, Runner
from compute.worker.start import Start
from compute.worker.stop import Stop
from compute.worker.suspend import Suspend
from compute.worker.takeover import MARGIN, Takeover
from compute.worker.transfer.source import Transfers
from compute.worker.unpause import Unpause

LOG = logging.getLogger(__name__)
_LOOK = 0.2


class HostWorker:
    """The worker of one host. ``fatal`` is called when a newer incarnation has taken this host over."""

    def __init__(self, conf: Any, rpc: Rpc, host: str, driver: Driver, images: Images, networks: Networks,
                 fatal: Any) -> None:
        self.conf, self.host, self.driver = conf, host, driver
        self.incarnation = str(uuids.uuid4())
        options = conf.worker
        self.reporter = Reporter(rpc, host, self.incarnation)
        self.events = EventBook()
        self._fatal = fatal
        self._stopped = threading.Event()
        self._replaced = False
        self.lock = HostLock(options.state_path, host)
        self.takeover = Takeover(self.lock, host, self._stopped.wait)
        self._registration = Registration(service_uuid='')
        nics, names = Nics(conf, host, networks, self.events), GroupNames(networks).of
        self._transfers = Transfers(conf)
        reboot, files = Reboot(conf, driver, nics, names), MovedFiles(conf, driver, self._transfers)
        handlers: dict[str, HostHandler] = {
            CREATE.name: Create(conf, host, driver, images, networks, self.events),
            DELETE.name: Delete(driver, networks, files), START.name: Start(conf, driver, nics, names),
            STOP.name: Stop(conf, driver), REBOOT.name: reboot, HARD_REBOOT.name: reboot,
            PAUSE.name: Pause(conf, driver), UNPAUSE.name: Unpause(conf, driver), SUSPEND.name: Suspend(conf, driver),
            RESUME.name: Resume(conf, driver, nics, names),
            RESIZE.name: Resize(conf, driver, images, nics, files, names),
            MIGRATE.name: Migrate(conf, driver, images, nics, files, names),
            CONFIRM_RESIZE.name: ConfirmResize(driver, files),
            REVERT_RESIZE.name: RevertResize(conf, driver, nics, files, names)}
        self.runner = Runner(self.reporter, handlers, options.max_concurrent_builds, options.max_concurrent_actions,
                             options.max_concurrent_moves, options.patience)
        self.power_sync = PowerSync(self.reporter, driver, self.runner)
        self._recovery = Recovery(conf, driver, nics, self.runner, self.power_sync, names)
        self.watch = Health(self._probes(rpc), conf.health.interval)
        self._unwatch: Callable[[], Any] = bool
        self._reports = [
            Periodic(self._beat, options.heartbeat_interval, name=f'heartbeat-{host}', immediately=False),
            Periodic(self._inventory, options.inventory_interval, name=f'inventory-{host}', immediately=False)]
        self._periodics = [
            Periodic(self.power_sync.run, options.power_sync_interval, name=f'power-sync-{host}', immediately=False),
            Periodic(ImageCacheTask(conf, driver).run, options.image_cache_interval, name=f'images-{host}',
                     immediately=False)]

    def _probes(self, rpc: Rpc) -> Iterator[Probe]:
        yield Probe('hypervisor', timed(self._look_at_hypervisor), failing=DOWN, slow_above=2.0, patience=20.0,
                    reason='an answer of the hypervisor took {value:.1f} s', public='the hypervisor does not answer')
        yield broker(rpc, 'worker', self.host)
        yield Probe('predecessor', self._look_at_predecessor, quick=True)
        yield Probe('operations', self.runner.overdue, slow_above=60.0, quick=True,
                    reason='an operation is {value:.0f} s past its deadline')
        if folder := self.driver.storage():
            yield writable('disk', folder)
        for name in ('image', 'network'):
            yield neighbour(self.conf, name)

    def endpoints(self) -> list[Interface]:
        """Return what is served on this host's queue."""
        return [HostOperations(self.runner), ConsolesEndpoint(self.conf, self.driver), EventsEndpoint(self.events),
                InspectionEndpoint(self.host, self.driver)]

    def start(self) -> None:
        """Register and begin."""
        self.register()
        self.begin()

    def register(self) -> None:
        """Connect to the hypervisor, register, and begin to report."""
        self.driver.start(self._on_event)
        if self.takeover.begin():
            self.runner.hold()
        options = self.conf.worker
        self.watch.start()
        self._unwatch = metrics.source('worker', self._samples)
        inventory = self._first_inventory()
        report = HostReport(
            host=self.host, incarnation=self.incarnation, node_uuid=node.node_uuid(options.state_path, self.host),
            availability_zone=options.availability_zone, cpu_allocation_ratio=options.cpu_allocation_ratio,
            ram_allocation_ratio=options.ram_allocation_ratio, disk_allocation_ratio=options.disk_allocation_ratio,
            reserved_vcpus=options.reserved_vcpus, reserved_memory_mb=options.reserved_memory_mb,
            reserved_disk_gb=options.reserved_disk_gb, aside=tuple(sorted({
                *self.driver.moves.all_aside(), *self.driver.moves.all_incoming()})))
        self._registration = self.reporter.register(report, inventory)
        self.takeover.registered(self._registration.lease)
        self._recovery.take_over(self._registration)
        for periodic in self._reports:
            periodic.start()

    def begin(self) -> None:
        """Wait until no other process can act as this host, recover, and begin what changes the host."""
        self.takeover.wait()
        if self._stopped.is_set():
            return
        self.runner.go()
        for periodic in self._periodics:
            periodic.start()
        self._recovery.run(self._registration)

    def _first_inventory(self) -> Inventory:
        """Ask the hypervisor what there is, until it answers: it may start together with us."""
        pause = 0.5
        while True:
            try:
                return self._inventory_now()
            except exception.Unavailable as error:
                LOG.warning('host %s is not registered yet: %s', self.host, error.message)
                if self._stopped.wait(pause):
                    raise
            pause = min(pause * 2, 5.0)

    def finish(self, until: float) -> None:
        """End what runs, with reports and leases as ever. What is not done by ``until`` is left to our successor."""
        self.power_sync.stop()
        self._recovery.stop()
        if self._replaced:  # what is in the middle of a call ends: it is over when our successor sees our end
            self.runner.finish(min(until, time.monotonic() + MARGIN))
            return
        done = self.runner.finish(until)
        while self._transfers.active() and time.monotonic() < until:
            self._stopped.wait(_LOOK)
        if not done:
            LOG.warning('%s: operations %s are left to the next start', self.host, self.runner.running())

    def stop(self) -> None:
        """Stop reporting. Guests go on; operations that run are taken up after the next start."""
        self._stopped.set()
        self.power_sync.stop()
        self._recovery.stop()
        self.watch.stop()
        self._unwatch()
        self.reporter.stop()
        for periodic in (*self._reports, *self._periodics):
            periodic.stop()
        self.runner.stop()
        self._transfers.stop()
        self.driver.stop()

    def health(self) -> list[str]:
        """Return what keeps this host from working."""
        waits = ['it waits for another process that acts as this host'] if self.takeover.waits else []
        return [f'{self.host}: {problem}' for problem in (*waits, *self.watch.public_problems())]

    def _look_at_hypervisor(self) -> None:
        if problem := self.driver.healthy():
            raise exception.Unavailable(problem, code='hypervisor_down')

    def _look_at_predecessor(self) -> None:
        if problem := self.takeover.problem:
            raise exception.Failed(problem)

    def _samples(self) -> Iterator[metrics.Sample]:
        yield 'compute_worker_operations', len(self.runner.running()), (self.host,)
        yield from ((name, value, (self.host, power)) for name, value, power in self.power_sync.seen())

    def _on_event(self, event: GuestEvent) -> None:
        if not self.takeover.waits:  # the comparison that comes after it sees the same
            self.power_sync.noticed(event)

    def _beat(self) -> None:
        self.takeover.look()
        at, running = Moment(), self.runner.running()
        try:
            lost = self.reporter.heartbeat(running, self.watch.report())
        except exception.Stale as error:
            LOG.critical('host %s: %s; this process stops', self.host, error.message)
            self._replaced = True
            self._recovery.stop()
            self.runner.superseded()
            self._fatal()
            return
        self.runner.heard(running, lost, at)

    def _inventory(self) -> None:
        self.reporter.inventory(self._inventory_now())

    def _inventory_now(self) -> Inventory:
        found, address = self.driver.inventory(), self.conf.worker.transfer_address
        return dataclasses.replace(found, host_ip=address) if address else found
