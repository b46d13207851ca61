"""The cluster of a soak: two or three of each kind of daemon, three equal hosts.

Of each kind there is one process that no fault ends, as far as faults can choose, so that its memory can be judged over
the whole time; ``STEADY`` names them. Those that are ended have a number. Identity, image and network are alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.real.faults.bed import Bed

ALONE = ('identity', 'image', 'network')
STEADY = ('conductor', 'scheduler', 'api', 'network_agent', 'worker')
NODES = {'worker': 'node1', 'worker2': 'node2', 'worker3': 'node3'}
_HOST = {'memory_mb': 131072, 'vcpus': 1000, 'disk_gb': 102400, 'download_images': True}
AUDITS = 40
"""Seconds between two audits of the conductors' own."""


class SoakBed(Bed):
    """``debug``: let daemons log all they do, to look into a run that went wrong."""

    names = (*ALONE, *STEADY, 'conductor2', 'scheduler2', 'api2', 'network_agent2', 'worker2', 'worker3')

    def __init__(self, folder: Path, concurrency: str, debug: bool = False) -> None:
        super().__init__(folder, concurrency)
        self._debug = debug

    def add(self, name: str, host: str | None = None, **overrides: dict[str, Any]) -> Any:
        if name.startswith('worker'):
            overrides.setdefault('fake', dict(_HOST))
        if name == 'network_agent':
            overrides['network_agent'] = {'hosts': f'{NODES["worker"]},{NODES["worker3"]}'}
        if name.startswith('conductor'):
            overrides['conductor'] = {'audit_interval': AUDITS, 'service_down_time': 20}
        overrides.setdefault('DEFAULT', {})['debug'] = self._debug
        return super().add(name, host, **overrides)
