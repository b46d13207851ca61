"""The faults of a host with real guests, and the ways on which it is seen at each of them.

Stages are held as on fake hosts; between them are the steps of the driver (``libvirt_seams``).
"""

from __future__ import annotations

import dataclasses
import os
import signal
from typing import Any

import requests

from tests.real.cluster import Cloud, Timer, wait_for
from tests.real.faults.guest_bed import LEASE, GuestBed
from tests.real.faults.libvirt_seams import ASKED, CUT, DEFINED, DISKS, STARTED, UNDEFINED
from tests.real.faults.rows import Fault
from tests.real.faults.seams import END
from tests.real.faults.table import elapse, ended, image_service_broken, killed
from tests.real.faults.ways import ACTIVE, GONE, NEW, STOPPED, Cell, Way

CREATE = Way('create', 'create', NEW, ACTIVE, stages=('networking', 'block_device_mapping', 'spawning'),
             edges=(DISKS, DEFINED, STARTED, END))
STOP = Way('stop', 'stop', ACTIVE, STOPPED, {'os-stop': None}, edges=(ASKED, CUT, END))
HARD = Way('hard reboot', 'reboot_hard', ACTIVE, ACTIVE, {'reboot': {'type': 'HARD'}}, stages=('reboot_started_hard',),
           edges=(CUT, DEFINED, STARTED))
SOFT = Way('reboot', 'reboot', ACTIVE, ACTIVE, {'reboot': {'type': 'SOFT'}}, stages=('reboot_started',),
           edges=(ASKED,))
START = Way('start', 'start', STOPPED, ACTIVE, {'os-start': None}, edges=(DEFINED,))
DELETE = Way('delete', 'delete', ACTIVE, GONE, stages=('deleting',), edges=(CUT, UNDEFINED))
WAYS = (CREATE, STOP, HARD, SOFT, START, DELETE)
SPAWNING = dataclasses.replace(CREATE, stages=('spawning',), edges=(DEFINED,))
STOPPING = dataclasses.replace(STOP, edges=(ASKED,))
REBOOTING = dataclasses.replace(HARD, edges=(DEFINED,))
FEW = SPAWNING, STOPPING, REBOOTING
FETCHING = dataclasses.replace(CREATE, stages=('block_device_mapping',), edges=())
WRITING = dataclasses.replace(CREATE, stages=('block_device_mapping', 'spawning'), edges=(DISKS,))
DOWN = 'hypervisor: libvirt at '
HANGS = LEASE + 3
LONGEST = 17
"""Seconds; after twenty the driver gives the connection up, and nothing hangs any more."""
SOON = 8.0
"""Seconds within which a daemon tells its health, on a machine that is busy with all this."""


def _libvirtd_killed() -> Fault:
    """While work stands between two calls: each finds nobody. The worker says so, and says when it is over."""
    wrong: list[str] = []

    def meanwhile(bed: Any, points: list[Cell]) -> None:
        before = sorted(bed.libvirtd.processes())
        wait_for(lambda: DOWN in bed['worker'].health()[1], 20, 'word of it from the worker itself')
        wait_for(lambda: _state(bed) == 'down', 20, 'word of it from the API')
        after = sorted(bed.libvirtd.processes())
        wrong[:] = [f'guests {before} ran, {after} do'] if after != before else []

    def lift(bed: Any) -> None:
        bed.libvirtd.start()
        wait_for(lambda: _state(bed) == 'up', 20, 'word that it is over')
    return Fault('libvirtd killed', inject=lambda bed, points: _libvirtd(bed).kill(), meanwhile=meanwhile, lift=lift,
                 check=lambda bed: list(wrong))


def _libvirtd_killed_in_calls() -> Fault:
    """While its threads start and stop guests: it has to find out, when it comes back, how far it was."""
    def meanwhile(bed: Any, points: list[Cell]) -> None:
        elapse(0.25)
        bed.libvirtd.kill()
        elapse(1)
    return Fault('libvirtd killed in the midst of calls', inject=lambda bed, points: None, meanwhile=meanwhile,
                 lift=lambda bed: _libvirtd(bed).start())


def _libvirtd_hangs() -> Fault:
    """For longer than a lease. What does not need it goes on: a new server gets as far as it can without."""
    wrong: list[str] = []

    def meanwhile(bed: Any, points: list[Cell]) -> None:
        lasts, slowest = Timer(), 0.0
        image = Cloud.image_of(bed.client, 'for the new', os.urandom(4096))
        bed.newcomer = bed._boot(imageRef=image)
        took = lasted = 0.0
        while lasted < HANGS or not took and lasted < LONGEST:
            with Timer() as asked:
                bed['worker'].health()
            slowest = max(slowest, asked.seconds)
            if not took and list(bed.libvirtd.instances.glob(f'_base/{image}.*')):
                took = lasted
            elapse(0.1)
            lasted = lasts.seconds
        wrong[:] = [] if took else ['a new server did not get its image']
        wrong.extend([f'the worker told its health after {slowest} s'] if slowest > SOON else [])

    def check(bed: Any) -> list[str]:
        status = bed.client.server(bed.newcomer)['status']
        return [*wrong, *([f'the server that was asked for meanwhile is {status}'] if status != 'ACTIVE' else [])]
    return Fault('libvirtd hangs for longer than a lease', inject=lambda bed, points: _libvirtd(bed).pause(),
                 meanwhile=meanwhile, lift=lambda bed: _libvirtd(bed).resume(), check=check)


def _guests_killed() -> Fault:
    """The processes of the guests that are worked on."""
    def inject(bed: Any, points: list[Cell]) -> None:
        running = bed.libvirtd.processes()
        for uuid in {cell.uuid for cell in points} & set(running):
            os.kill(running[uuid], signal.SIGKILL)
    # Seen once, on a busy machine: the new process "exited while connecting to monitor". Why is not known.
    return Fault('QEMU of the guests killed', inject=inject, meanwhile=ended, lift=lambda bed: None,
                 may_fail={'reboot': ('guest_start',)})


def _disk_full() -> Fault:
    """Where something is still to be written the create fails; nothing else needs room."""
    return Fault('disk of the host really full', prepare=lambda bed: {'imageRef': Cloud.image_of(
        bed.client, 'without room', os.urandom(4096))}, inject=lambda bed, points: _libvirtd(bed).fill(),
        meanwhile=ended, lift=lambda bed: _libvirtd(bed).make_room(),
        may_fail={'create': ('disk_full', 'no_valid_host')})


def _libvirtd(bed: Any) -> Any:
    return bed.libvirtd


def _state(bed: GuestBed) -> str:
    """Return what the API says of the worker."""
    try:
        found = bed.client.ok('GET', 'compute', '/service-health?binary=nova-compute')['service_health']
    except requests.RequestException as error:
        return str(error)
    return str(found[0]['state'])


ROWS: tuple[tuple[Fault, tuple[Way, ...]], ...] = (
    (killed('worker'), (CREATE, STOP, HARD)),
    (_libvirtd_killed(), (*FEW, START)),
    (_libvirtd_killed_in_calls(), (*FEW, DELETE)),
    (_libvirtd_hangs(), (*FEW, DELETE)),
    (_guests_killed(), (STOPPING, SOFT, DELETE)),
    (_disk_full(), (WRITING,)),
    (image_service_broken(), (FETCHING,)),
)
"""Each fault with the ways on which it is tried."""
GATE = ROWS[:2]
"""What the gate tries: a worker that dies, and a libvirtd that does."""
