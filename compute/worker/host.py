"""One host's worker: registers, takes over what its predecessor left, serves, reports.

A worker is new at every start: a fresh incarnation, after which reports of the one before it are refused.
"""

from __future__ import annotations

import logging
import uuid as uuids
from typing import Any

from compute import exception
from compute.clients.image import Images
from compute.clients.network import Networks
from compute.concurrency import Periodic
from compute.objects.registration import HostReport, Registration
from compute.rpc.interface import Interface
from compute.rpc.transport import Rpc
from compute.virt.driver import Driver, GuestEvent
from compute.worker import endpoints, node
from compute.worker.console import ConsolesEndpoint
from compute.worker.create import Create
from compute.worker.delete import Delete
from compute.worker.events import EventBook, EventsEndpoint
from compute.worker.periodic.image_cache import ImageCacheTask
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.reboot import Reboot
from compute.worker.recovery import Recovery
from compute.worker.reports import Reporter
from compute.worker.runner import Runner
from compute.worker.start import Start
from compute.worker.stop import Stop

LOG = logging.getLogger(__name__)


class HostWorker:
    """The worker of one host. ``fatal`` is called when a newer incarnation has taken this host over."""

    def __init__(self, conf: Any, rpc: Rpc, host: str, driver: Driver, images: Images, networks: Networks,
                 fatal: Any) -> None:
        self.conf, self.host, self.driver = conf, host, driver
        self.incarnation = str(uuids.uuid4())
        self.reporter = Reporter(rpc, host, self.incarnation)
        self.events = EventBook()
        self._fatal = fatal
        options = conf.worker
        handlers: dict[str, Any] = {
            'create': Create(conf, host, driver, images, networks, self.events),
            'delete': Delete(driver, networks), 'start': Start(conf, driver), 'stop': Stop(conf, driver),
            'reboot': Reboot(conf, driver)}
        self.runner = Runner(self.reporter, handlers, options.max_concurrent_builds, options.max_concurrent_actions,
                             options.patience)
        self.power_sync = PowerSync(self.reporter, driver, self.runner)
        self._periodics = [
            Periodic(self._beat, options.heartbeat_interval, name=f'heartbeat-{host}', immediately=False),
            Periodic(self._inventory, options.inventory_interval, name=f'inventory-{host}', immediately=False),
            Periodic(self.power_sync.run, options.power_sync_interval, name=f'power-sync-{host}', immediately=False),
            Periodic(ImageCacheTask(conf, driver).run, options.image_cache_interval, name=f'images-{host}',
                     immediately=False)]

    def endpoints(self) -> list[Interface]:
        """Return what is served on this host's queue."""
        return [*endpoints.all_of(self.runner), ConsolesEndpoint(self.conf, self.driver), EventsEndpoint(self.events)]

    def start(self) -> None:
        """Connect to the hypervisor, register, recover, and begin the periodic tasks."""
        self.driver.start(self._on_event)
        options = self.conf.worker
        report = HostReport(
            host=self.host, incarnation=self.incarnation, node_uuid=node.node_uuid(options.state_path, self.host),
            availability_zone=options.availability_zone, cpu_allocation_ratio=options.cpu_allocation_ratio,
            ram_allocation_ratio=options.ram_allocation_ratio, disk_allocation_ratio=options.disk_allocation_ratio,
            reserved_vcpus=options.reserved_vcpus, reserved_memory_mb=options.reserved_memory_mb,
            reserved_disk_gb=options.reserved_disk_gb)
        registration: Registration = self.reporter.register(report, self.driver.inventory())
        for periodic in self._periodics:
            periodic.start()
        Recovery(self.conf, self.driver, self.runner, self.power_sync).run(registration)

    def stop(self) -> None:
        """Stop reporting. Guests go on; operations that run are taken up after the next start."""
        self.reporter.stop()
        for periodic in self._periodics:
            periodic.stop()
        self.runner.stop()
        self.driver.stop()

    def health(self) -> list[str]:
        """Return what does not work on this host."""
        problem = self.driver.healthy()
        return [f'{self.host}: {problem}'] if problem else []

    def _on_event(self, event: GuestEvent) -> None:
        self.power_sync.noticed(event)

    def _beat(self) -> None:
        try:
            lost = self.reporter.heartbeat(self.runner.running(), tuple(self.health()))
        except exception.Stale as error:
            LOG.critical('host %s: %s; this process stops', self.host, error.message)
            self._fatal()
            return
        self.runner.lose(lost)

    def _inventory(self) -> None:
        self.reporter.inventory(self.driver.inventory())


