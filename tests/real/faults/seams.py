"""The seams at which a fault test takes hold of a daemon: installed in its process by ``launch``, never by the product.

Stages that a host reports are held in ``Job.stage``, stages that a conductor writes around the transaction that writes
them; so every stage of every kind can be held, those of kinds to come included. Four edges have no stage: ``queued``
(the row is there, nobody was told), ``handing_over`` (the claim is there, the host not written), ``sending`` (the host
is written, and was not told) and ``end`` (all is done, and not reported). ``leg_end`` is the end of a leg that is not
the last.
"""

from __future__ import annotations

import datetime
import errno
import os
import threading
import time
from typing import Any

from tests.real.faults import broken
from tests.real.faults.points import Points, point
from tests.real.faults.wrapping import wrap

QUEUED, HANDING_OVER, SENDING, END, LEG_END = 'queued', 'handing_over', 'sending', 'end', 'leg_end'
BEFORE, AFTER = 'before', 'after'
DEAF = ('rebooting_hard', 'reboot_started_hard')
"""Stages that a soft reboot comes to only if its guest does not obey."""
WRITES = ('prepare', 'spawn', 'power_on', 'reboot_hard', 'suspend', 'adopt')
"""Methods of the driver that need room on the disk."""
LATE = 2.0
"""Seconds after which the third copy of a message comes."""


def install(kind: str, name: str, folder: str) -> None:
    """Put the seams of a daemon of this kind in place."""
    points = Points(folder)
    _clock(points, name)  # before anything imports the product's clock
    _messages(points)
    _database(points, name)
    for each in {'api': (_api,), 'conductor': (_conductor, broken.install),
                 'worker': (_worker, _deaf_guests, _disk)}.get(kind, ()):
        each(points, name)


# -- where work is held --


def _api(points: Points, name: str) -> None:
    from compute.control import operation

    def hint(original: Any, cloud: Any, context: Any, works: list[Any]) -> None:
        for work in works:
            points.pass_by(point(work.operation.kind, QUEUED, BEFORE, work.instance.name))
        original(cloud, context, works)
    wrap(operation, 'hint', hint)


def _worker(points: Points, name: str) -> None:
    from compute.objects.kinds import kind_of
    from compute.worker import runner

    def stage(original: Any, job: Any, stage_name: str, *args: Any, **kwargs: Any) -> None:
        where = job.ref.kind, stage_name
        points.pass_by(point(*where, BEFORE, job.instance.name))
        original(job, stage_name, *args, **kwargs)
        points.pass_by(point(*where, AFTER, job.instance.name))
    wrap(runner.Job, 'stage', stage)

    def made(original: Any, self: Any, reporter: Any, handlers: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        for handler in set(handlers.values()):  # one may serve several kinds
            wrap(handler, 'run', run)
        original(self, reporter, handlers, *args, **kwargs)

    def run(original: Any, job: Any) -> Any:
        update = original(job)
        edge = END if job.work.operation.leg + 1 == len(kind_of(job.ref.kind).legs) else LEG_END
        points.pass_by(point(job.ref.kind, edge, BEFORE, job.instance.name))
        return update
    wrap(runner.Runner, '__init__', made)


def _deaf_guests(points: Points, name: str) -> None:
    """Let a guest not obey a soft reboot if one of the stages after that is held: else no operation comes there."""
    from compute.virt.fake.driver import FakeDriver

    def reboot_soft(original: Any, self: Any, guest: Any, *args: Any) -> bool:
        server = guest.instance.name
        if any(points.is_held(point('reboot', stage, when, server)) for stage in DEAF for when in (BEFORE, AFTER)):
            return False
        return bool(original(self, guest, *args))
    wrap(FakeDriver, 'reboot_soft', reboot_soft)


class _Held(Exception):
    """A transaction is about to write a stage that is held: it is rolled back, and done when it is let go."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _conductor(points: Points, name: str) -> None:
    from oslo_config import cfg

    from compute.conductor import conductor, create
    from compute.db import operations
    from compute.db.session import Database
    written = threading.local()

    def begin_stage(original: Any, connection: Any, operation: Any, stage: str, host: str) -> None:
        server = None if host != cfg.CONF.host else _name_of(connection, operation)
        if server and points.is_held(before := point(operation.kind, stage, BEFORE, server)):
            raise _Held(before)
        original(connection, operation, stage, host)
        if server:
            written.point = point(operation.kind, stage, AFTER, server)

    def transaction(original: Any, self: Any, function: Any) -> Any:
        written.point = None
        try:
            result = original(self, function)
        except _Held as held:
            points.pass_by(held.name)
            result = original(self, function)
        if written.point is not None:
            points.pass_by(written.point)
        return result

    def hand_over(original: Any, self: Any, context: Any, operation: Any, *args: Any) -> None:
        server = self.db.read(lambda connection: _name_of(connection, operation))
        points.pass_by(point(operation.kind, HANDING_OVER, BEFORE, server))
        original(self, context, operation, *args)

    def notify(original: Any, self: Any, context: Any, operation: Any) -> None:
        server = self.db.read(lambda connection: _name_of(connection, operation))
        points.pass_by(point(operation.kind, SENDING, BEFORE, server))
        original(self, context, operation)
    wrap(operations, 'begin_stage', begin_stage)
    wrap(Database, 'transaction', transaction)
    wrap(create, 'hand_over', hand_over)
    _together(points, written)
    wrap(conductor.Conductor, 'notify', notify)


def _together(points: Points, written: threading.local) -> None:
    """The same for servers of one request, which go together."""
    from compute.conductor import create
    from compute.db import operations

    def begin_together(original: Any, connection: Any, begun: Any, stage: str, host: str) -> None:
        names = [_name_of(connection, operation) for operation in begun]
        for before in (point('create', stage, BEFORE, server) for server in names):
            if points.is_held(before):
                raise _Held(before)
        original(connection, begun, stage, host)
        for after in (point('create', stage, AFTER, server) for server in names):
            if points.is_held(after):
                written.point = after

    def hand_over_together(original: Any, self: Any, context: Any, placed: Any) -> None:
        for work, _ in placed:
            points.pass_by(point('create', HANDING_OVER, BEFORE, work.instance.name))
        original(self, context, placed)
    wrap(operations, 'begin_stage_together', begin_together)
    wrap(create, '_hand_over_together', hand_over_together)


def _name_of(connection: Any, operation: Any) -> str:
    import sqlalchemy as sa

    from compute.db.tables import instances
    return str(connection.execute(sa.select(instances.c.name).where(
        instances.c.uuid == operation.instance_uuid)).scalar())


# -- what goes wrong --


def _clock(points: Points, name: str) -> None:
    """Let the clocks of this process be off by the value of a switch: what the product calls now, and time.time."""
    from compute.objects import value
    real = time.time

    def off() -> float:
        return float(points.value(f'clock-{name}') or 0)
    wrap(value, 'now', lambda original: original() + datetime.timedelta(seconds=off()))
    time.time = lambda: real() + off()


def _messages(points: Points) -> None:
    """Let every message come twice, and once more when it is late. Answers to the copies are thrown away."""
    from compute.rpc import transport

    def send(original: Any, self: Any, method: Any, context: Any, /, **arguments: Any) -> Any:
        if not points.is_on('doubled') or method.name in ('heartbeat', 'select', 'select_many'):
            return original(self, method, context, **arguments)
        try:
            return original(self, method, context, **arguments)
        finally:
            for delay in (0.0, LATE):
                timer = threading.Timer(delay, _again, (original, self, method, context, arguments))
                timer.daemon = True
                timer.start()
    wrap(transport.Proxy, '_send', send)


def _again(original: Any, proxy: Any, method: Any, context: Any, arguments: dict[str, Any]) -> None:
    from compute import exception
    try:
        original(proxy, method, context, **arguments)
    except exception.ComputeError:
        return  # refused: that is what shall happen to copies


def _database(points: Points, name: str) -> None:
    """Let some commits be done and the connection be lost before their answer comes."""
    import sqlalchemy as sa
    from sqlalchemy import exc

    def commit(original: Any, self: Any) -> None:
        original(self)
        if points.is_on('commits-lost') and os.urandom(1)[0] < 64:
            raise exc.OperationalError('COMMIT', {}, Exception(2013, 'Lost connection to server during query'))
    wrap(sa.engine.base.RootTransaction, 'commit', commit)


def _disk(points: Points, name: str) -> None:
    """Let the disk of a host be full: whatever has to write there fails."""
    from compute.virt.fake.faults import Faults

    def check(original: Any, self: Any, method: str) -> None:
        if method in WRITES and points.is_on(f'disk-full-{name}'):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(self, method)
    wrap(Faults, 'check', check)
