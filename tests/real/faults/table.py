"""The faults. To add one, add a ``Fault`` to ``FAULTS``; it is tried at every stage of every kind."""

from __future__ import annotations

import dataclasses
from typing import Any

from compute.db.tables import instances, operations
from tests.real.cluster import Cloud, wait_for
from tests.real.faults import broken
from tests.real.faults.bad_image_service import BadImageService
from tests.real.faults.bed import VICTIM, Bed
from tests.real.faults.link import Link
from tests.real.faults.points import point
from tests.real.faults.rows import Fault
from tests.real.faults.seams import BEFORE, HANDING_OVER
from tests.real.faults.ways import Cell
from tests.waiting import LONG, comes_true, elapse

LEASE = 8
"""What ``cluster.py`` gives a lease: who is paused for longer has lost it."""
MINUTE = 60
DOWN = ('host_down',)
MOVES = ('resize', 'migrate')
"""Ways that wait for a source, or a destination that may run the guest, without heartbeat."""
AT_HOST = ('start', 'stop', 'reboot', 'reboot not obeyed', 'hard reboot', 'pause', 'unpause', 'suspend', 'resume',
           'revert', *MOVES)
"""Ways that fail when their host counts as down."""


KILLED_DAEMONS = ('conductor', 'scheduler', 'api', 'network', 'image', 'identity', 'network_agent', 'worker')


def ended(bed: Bed, points: list[Cell], timeout: float = 50) -> None:
    """Wait until all operations have ended while the fault lasts; what has not is found by what comes after."""
    left: list[Cell] = []

    def none() -> bool:
        left[:] = bed.open(points)
        return not left
    try:
        wait_for(none, timeout, 'the end of all operations')
    except AssertionError:
        raise AssertionError(f'open while the fault lasts: {[cell.title for cell in left]}; '
                             f'{bed.open_operations()}') from None


def ended_but_moves(bed: Bed, points: list[Cell]) -> None:
    """Do the same for operations that do not wait for the host."""
    ended(bed, [cell for cell in points if cell.way.name not in MOVES])


# -- daemons --


def killed(name: str, lasts: float = 1.5) -> Fault:
    """SIGKILL of a daemon; work goes on against its absence, then it is started again."""
    return Fault(f'kill -9 {name}', inject=lambda bed, points: bed.kill(name), lift=lambda bed: bed.begin(name),
                 meanwhile=lambda bed, points: elapse(lasts))


def _conductor_paused(patience: float = LONG) -> Fault:
    """Another conductor takes over what the paused one held; when that wakes it must not go on with it.

    One build is held at the host then: its operation is still going on.
    """
    numbers: list[int] = []

    def inject(bed: Bed, points: list[Cell]) -> None:
        if 'conductor2' not in bed.daemons:
            bed.add('conductor2')
        bed.begin('conductor2')
        bed.pause('conductor')

    def meanwhile(bed: Bed, points: list[Cell]) -> None:
        goes_on, = (cell for cell in points if cell.stage == HANDING_OVER and cell.way.count == 1)
        here = point(goes_on.way.kind, 'spawning', BEFORE, goes_on.server)
        bed.points.hold([here])
        wait_for(lambda: bed.points.reached(here), 50, 'the build that another conductor goes on with')
        numbers[:] = [bed.outcome(goes_on).id]
        ended(bed, [cell for cell in points if cell is not goes_on])

    def refused(bed: Bed) -> bool:
        return f'operation {numbers[0]} is no longer ours' in bed.said('conductor')

    def lift(bed: Bed) -> None:
        bed.resume('conductor')
        comes_true(lambda: refused(bed), patience)
        bed.points.let_go()

    def check(bed: Bed) -> list[str]:
        return [] if refused(bed) else ['the conductor that came back was not refused, or did not say so']
    return Fault('conductor paused for longer than its lease', inject, lift=lift, meanwhile=meanwhile, check=check,
                 clean=lambda bed: bed.kill('conductor2'))


def _worker_replaced(patience: float = LONG) -> Fault:
    """A second process acts as the host of a paused one, which is refused when it wakes, and stops."""
    def inject(bed: Bed, points: list[Cell]) -> None:
        bed.pause('worker')
        bed.add('worker9', host=VICTIM).start()

    def check(bed: Bed) -> list[str]:
        old = bed['worker'].process
        assert old is not None
        if not comes_true(lambda: old.poll() is not None, patience):
            return ['the worker that was replaced goes on']
        refused = 'refused' in bed.said('conductor') and 'newer incarnation' in bed.said('worker')
        return [] if refused else ['the worker that was replaced was not refused, or nobody said so']

    def clean(bed: Bed) -> None:
        bed.kill('worker9', 'worker')
        bed.begin('worker')
    return Fault('worker paused, and replaced', inject, lift=lambda bed: bed.resume('worker'),
                 meanwhile=ended, check=check, clean=clean)


def _worker_paused() -> Fault:
    """Its host is given up for down. When it wakes it is refused what others did meanwhile, and cleans up."""
    def check(bed: Bed) -> list[str]:
        told = comes_true(lambda: 'refused' in bed.said('conductor'), LONG)
        return [] if told else ['the worker that came back was not refused']
    return Fault('worker paused until its host counts as down', inject=lambda bed, points: bed.pause('worker'),
                 meanwhile=ended_but_moves, lift=lambda bed: bed.resume('worker'), check=check,
                 may_fail=dict.fromkeys(AT_HOST, DOWN))


def _host_cut_off() -> Fault:
    """The host is not heard, works on, and counts as down. When the wire is mended, all that it said arrives late."""
    def link(bed: Bed) -> Link:
        assert bed.link is not None
        return bed.link

    def check(bed: Bed) -> list[str]:
        told = comes_true(lambda: 'refused' in bed.said('conductor'), LONG)
        return [] if told else ['the host that was heard again was not refused']
    return Fault('network of the host cut until it counts as down', inject=lambda bed, points: link(bed).cut(),
                 meanwhile=ended_but_moves, lift=lambda bed: link(bed).mend(), check=check,
                 may_fail=dict.fromkeys(AT_HOST, DOWN))


# -- broker --


def _broker_killed() -> Fault:
    return Fault('broker killed', inject=lambda bed, points: bed.broker.kill(),
                 meanwhile=lambda bed, points: elapse(1.5), lift=lambda bed: bed.broker.start())


def _queues_purged() -> Fault:
    """What the conductor has not taken is lost: casts of the API and reports of hosts."""
    def meanwhile(bed: Bed, points: list[Cell]) -> None:
        wait_for(lambda: bed.broker.waiting('conductor') >= 5, 20, 'messages')
        assert bed.broker.purge(['conductor']) >= 5
    return Fault('queue of the conductor purged', inject=lambda bed, points: bed.kill('conductor'),
                 meanwhile=meanwhile, lift=lambda bed: bed.begin('conductor'))


def _messages_doubled() -> Fault:
    return Fault('messages delivered three times', prepare=lambda bed: bed.points.switch('doubled'),
                 inject=lambda bed, points: None, meanwhile=ended, lift=lambda bed: elapse(2.5),
                 clean=lambda bed: bed.points.off('doubled'))


# -- database --


def _database_killed() -> Fault:
    return Fault('database killed', inject=lambda bed, points: bed.mariadb.kill(),
                 meanwhile=lambda bed, points: elapse(1.5), lift=lambda bed: bed.mariadb.start())


def _connections_cut() -> Fault:
    def meanwhile(bed: Bed, points: list[Cell]) -> None:
        comes_true(lambda: bed.mariadb.cut_connections() < 0, 4)  # never: cut again and again
    return Fault('database connections cut', inject=lambda bed, points: bed.mariadb.cut_connections(),
                 meanwhile=meanwhile, lift=lambda bed: None)


def _commits_lost() -> Fault:
    return Fault('connection lost at commits', inject=lambda bed, points: bed.points.switch('commits-lost'),
                 meanwhile=lambda bed, points: elapse(8), lift=lambda bed: bed.points.off('commits-lost'))


def _rows_locked() -> Fault:
    """Somebody locks rows in the other order, again and again: deadlocks, and waits for locks."""
    def meanwhile(bed: Bed, points: list[Cell]) -> None:
        uuids = [cell.uuid for cell in points if cell.uuid]
        engine = bed.stores['compute'].engine
        for _ in range(4):
            with engine.connect() as connection:
                connection.execute(instances.select().where(instances.c.uuid.in_(uuids)).with_for_update()).all()
                elapse(0.7)
                try:
                    connection.execute(operations.update().where(operations.c.instance_uuid.in_(uuids)).values(
                        attempt=operations.c.attempt))
                    elapse(0.5)
                except Exception as error:
                    assert 'eadlock' in str(error), error
                connection.rollback()
    return Fault('rows locked, and deadlocks', inject=lambda bed, points: None, meanwhile=meanwhile,
                 lift=lambda bed: None)


# -- hosts and neighbours --


def _disk_full() -> Fault:
    return Fault('disk full on the host', inject=lambda bed, points: bed.points.switch('disk-full-worker'),
                 meanwhile=ended_but_moves, lift=lambda bed: bed.points.off('disk-full-worker'),
                 may_fail=dict.fromkeys(('start', 'reboot not obeyed', 'hard reboot', 'suspend', 'revert', *MOVES),
                                        ('disk_full',)))


def _new_image(bed: Bed) -> dict[str, Any]:
    """Let creates use an image that no host has yet."""
    return {'imageRef': Cloud.image_of(bed.client, 'fresh', b'z' * 4096)}


def image_service_broken() -> Fault:
    servers: list[BadImageService] = []

    def inject(bed: Bed, points: list[Cell]) -> None:
        bed.kill('image')
        servers.append(BadImageService(bed.ports['image']))

    def meanwhile(bed: Bed, points: list[Cell]) -> None:
        elapse(2)
        servers[-1].hangs.set()
        elapse(4)

    def lift(bed: Bed) -> None:
        servers.pop().stop()
        bed.begin('image')
    return Fault('image service answers 500, then hangs', prepare=_new_image, inject=inject, meanwhile=meanwhile,
                 lift=lift)


def _clock_off(seconds: int) -> Fault:
    daemons = ('worker', 'network_agent')

    def inject(bed: Bed, points: list[Cell]) -> None:
        for name in daemons:
            bed.points.switch(f'clock-{name}', str(seconds))

    def clean(bed: Bed) -> None:
        for name in daemons:
            bed.points.off(f'clock-{name}')
    return Fault(f'clock of the host {"ahead" if seconds > 0 else "behind"} by a minute', prepare=_new_image,
                 inject=inject, meanwhile=ended, lift=lambda bed: None, clean=clean)


KILLED = tuple(killed(name) for name in KILLED_DAEMONS)
PAUSED = (_conductor_paused(), _worker_replaced(), _worker_paused(), _host_cut_off())
DOUBLED = _messages_doubled()
FAULTS: tuple[Fault, ...] = (
    *KILLED, *PAUSED, _broker_killed(), _queues_purged(), DOUBLED, _database_killed(), _connections_cut(),
    _commits_lost(), _rows_locked(), _disk_full(), image_service_broken(), _clock_off(MINUTE), _clock_off(-MINUTE))
GATE = (*(fault for fault in KILLED if fault.name.endswith((' conductor', ' worker'))), *PAUSED[:2], PAUSED[3], DOUBLED)
"""What the gate tries: the reaper that resumes work of a dead conductor and of a dead worker, the lease of a conductor
that slept, the incarnation of a worker that was replaced, a host that counts as down and is heard again, and messages
that come more than once."""


def _without(check: str, fault: Fault) -> Fault:
    """Return a fault that meets a product without one of the ledger's checks."""
    def inject(bed: Bed, points: list[Cell]) -> None:
        bed.points.switch(check)
        fault.inject(bed, points)

    def clean(bed: Bed) -> None:
        bed.points.off(check)
        fault.clean(bed)
    return dataclasses.replace(fault, name=f'{fault.name}, {check}', inject=inject, clean=clean)


WITHOUT = {broken.INCARNATION: _without(broken.INCARNATION, _worker_replaced(patience=6)),
           broken.LEASE: _without(broken.LEASE, _conductor_paused(patience=5)),
           broken.EXPIRY: _without(broken.EXPIRY, killed('conductor', lasts=0))}
"""What the matrix must find wrong."""
