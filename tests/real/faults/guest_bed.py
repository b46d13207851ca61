"""A cluster whose one worker runs real guests on a libvirtd of its own; on green threads, all of it.

The table of stages and faults runs on native threads; what a process on green ones leaves behind is seen here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from compute.objects.nic import device_name
from tests.real.cluster import Cloud, Cluster
from tests.real.faults import libvirt_seams
from tests.real.faults.bed import VICTIM, Bed
from tests.real.faults.private_libvirtd import PrivateLibvirtd

LEASE = 8
"""What a lease lasts here: a libvirtd that hangs for longer is worth seeing, and nobody wants to wait for it."""


class GuestBed(Bed):
    """The cluster, its points, its libvirtd, and servers to work on."""

    names = ('identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'network_agent', 'worker')

    def __init__(self, folder: Path, concurrency: str) -> None:
        super().__init__(folder, concurrency)
        self.speaker, self.speaker_process, self.newcomer = '', 0, ''
        self.libvirtd = PrivateLibvirtd()

    def program(self, name: str, kind: str) -> list[str]:
        return [*super().program(name, kind), '--driver-seams'] if kind in ('worker', 'network_agent') else (
            super().program(name, kind))

    def add(self, name: str, host: str | None = None, **overrides: dict[str, Any]) -> Any:
        if name == 'worker':
            return Cluster.add(self, name, host, virt={'driver': 'libvirt'}, libvirt={
                'connection_uri': self.libvirtd.uri, 'instances_path': self.libvirtd.instances, 'virt_type': 'qemu'},
                worker={'max_concurrent_builds': 20, 'max_concurrent_actions': 40, 'power_sync_interval': 3,
                        'shutdown_timeout': 2, 'cpu_allocation_ratio': 100, 'ram_allocation_ratio': 10,
                        'disk_allocation_ratio': 1000, 'reserved_memory_mb': 0}, health={'interval': 1})
        if name in ('conductor', 'scheduler', 'api'):
            overrides = {'conductor': {'lease': LEASE, 'begin_timeout': 6}}
        return super().add(name, host, **overrides)

    def start(self) -> None:
        self.libvirtd.start()
        super().start()

    def boot_speaker(self, data: bytes) -> None:
        """Boot the guest that has a system, which no row may use."""
        flavor = self.client.ok('POST', 'compute', '/flavors', {'flavor': {
            'name': 'speaker', 'ram': 192, 'vcpus': 1, 'disk': 1}})['flavor']['id']
        image = Cloud.image_of(self.client, 'system', data, 'qcow2')
        self.speaker = self._boot(imageRef=image, flavorRef=flavor)
        self.client.wait(self.speaker, 'ACTIVE', 120)
        self.speaker_process = self.libvirtd.processes()[self.speaker]

    def _idle(self, state: str) -> list[str]:
        return [uuid for uuid in super()._idle(state) if uuid != self.speaker]

    def powers(self) -> dict[str, list[tuple[str, int]]]:
        """Return hosts and power states of each guest, by uuid."""
        return {uuid: [(VICTIM, power)] for uuid, power in self.libvirtd.powers().items()}

    def wrong(self) -> list[str]:
        """Return what does not agree, on the host too: domains, processes, disks and taps."""
        found = super().wrong()
        powers, running = self.libvirtd.powers(), sorted(self.libvirtd.processes())
        if running != (on := sorted(uuid for uuid, power in powers.items() if power == 1)):
            found.append(f'QEMU runs {running}, libvirt says {on}')
        if (stored := self.libvirtd.stored()) != sorted(powers):
            found.append(f'disks of {stored}, domains of {sorted(powers)}')
        ports = self.stores['network'].rows(sa.text(
            "SELECT id FROM ports WHERE device_owner LIKE 'compute:%'"))  # type: ignore[arg-type]
        taps = sorted(libvirt_seams.taps(str(self.points.folder)))
        if taps != (wanted := sorted(device_name(row.id) for row in ports)):
            found.append(f'taps {taps}, ports want {wanted}')
        return found

    def remove(self) -> None:
        try:
            super().remove()
        finally:
            libvirt_seams.remove_taps(str(self.points.folder))
            self.libvirtd.remove()
