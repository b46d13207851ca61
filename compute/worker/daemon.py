"""The worker daemon: one host, or with the fake driver as many as are named."""

from __future__ import annotations

from functools import partial
from typing import Any

from compute import signals
from compute.clients.image import RestImages
from compute.clients.network import RestNetworks
from compute.concurrency import all_at_once
from compute.health import Several
from compute.rpc.interface import Interface
from compute.virt.loader import load_driver
from compute.worker.host import HostWorker


class WorkerDaemon:
    """Needs no database: all it knows is in messages, all it says goes through the conductor."""

    name = None
    topic = 'worker'

    def __init__(self, conf: Any, rpc: Any) -> None:
        images, networks = RestImages(conf), RestNetworks(conf)
        self.workers = [HostWorker(conf, rpc, host, load_driver(conf, host), images, networks, self._give_up)
                        for host in (conf.worker.hosts or [conf.host])]
        self.watch = Several(worker.watch for worker in self.workers)

    def prepare(self) -> None:
        """Nothing to do before serving."""

    def servers(self) -> list[tuple[str, str, list[Interface]]]:
        """Return one RPC server for each host."""
        return [(self.topic, worker.host, worker.endpoints()) for worker in self.workers]

    def start(self) -> None:
        """Register every host and recover what was left. Where that has to wait, all hosts wait at the same time."""
        for worker in self.workers:
            worker.register()
        for worker in self.workers:
            worker.begin()

    def finish(self, until: float) -> None:
        """End what runs on every host, or leave it to the next start."""
        all_at_once([partial(worker.finish, until) for worker in self.workers], name='worker-finish')

    def stop(self) -> None:
        """Stop every host's worker."""
        all_at_once([worker.stop for worker in self.workers], name='worker-stop')

    def health(self) -> list[str]:
        """Return what does not work, of all hosts."""
        return [problem for worker in self.workers for problem in worker.health()]

    @staticmethod
    def _give_up() -> None:
        """Another process acts as this host: stop before two do the same work."""
        signals.stop_this_process()
