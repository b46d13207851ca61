"""The seams of a host with the libvirt driver: where its work is held between two calls, and taps without a network.

The steps of the driver have no stage of their own: the ledger need not know them, but a worker or a libvirtd may die
between any two. A point is named like those of stages, with the step in the stage's place.
"""

from __future__ import annotations

import json
import subprocess
import threading
from typing import Any

from tests.real.faults.points import Points, point
from tests.real.faults.wrapping import wrap

DISKS, DEFINED, STARTED = 'disks_made', 'defined', 'started'
ASKED, CUT, UNDEFINED = 'asked_to_shut_down', 'power_cut', 'undefined'


def install(points: Points, kind: str) -> None:
    """Put the seams of a daemon of this kind in place."""
    if kind == 'worker':
        _steps(points)
    elif kind == 'network_agent':
        _taps(points)


def _steps(points: Points) -> None:
    from compute.virt.libvirt import guest
    from compute.virt.libvirt.disks import Disks
    from compute.worker import runner
    working = threading.local()

    def lead(original: Any, self: Any, job: Any, recover: bool) -> None:
        working.on = job
        try:
            original(self, job, recover)
        finally:
            working.on = None
    wrap(runner.Runner, '_lead', lead)

    def held_after(owner: Any, name: str, step: str) -> None:
        def call(original: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if job := getattr(working, 'on', None):
                points.pass_by(point(job.ref.kind, step, 'before', job.instance.name))
            return result
        wrap(owner, name, call)
    held_after(Disks, 'create', DISKS)
    held_after(guest, 'define', DEFINED)
    for name, step in (('start', STARTED), ('ask_to_shut_down', ASKED), ('cut_power', CUT), ('undefine', UNDEFINED)):
        held_after(guest.Domain, name, step)


def _taps(points: Points) -> None:
    """Let the fake agent make the taps of its ports, and nothing else: the guests' network has no other end."""
    from compute.builtin.network.agent.fake import FakePlumbing
    from compute.objects.nic import device_name
    made: set[str] = set()

    def apply(original: Any, self: Any, networks: Any) -> Any:
        outcome = original(self, networks)
        wanted = {device_name(port.id) for network in self.networks.values() for port in network.ports}
        for name in wanted - made:
            _ip('tuntap', 'add', 'dev', name, 'mode', 'tap')
            _ip('link', 'set', name, 'alias', str(points.folder))
        for name in made - wanted:
            _ip('link', 'del', name)
        made.clear()
        made.update(wanted)
        return outcome
    wrap(FakePlumbing, 'apply', apply)


def taps(folder: str) -> list[str]:
    """Return the taps that an agent whose points are in ``folder`` has made and that are there."""
    return [link['ifname'] for link in json.loads(_ip('-j', 'link')) if link.get('ifalias') == folder]


def remove_taps(folder: str) -> None:
    """Remove what an agent that was killed has left."""
    for name in taps(folder):
        _ip('link', 'del', name)


def _ip(*words: str) -> str:
    return subprocess.run(['ip', *words], check=True, capture_output=True, text=True).stdout
