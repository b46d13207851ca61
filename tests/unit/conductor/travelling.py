"""A kind of operation that no release has: three legs, the last two with an undo, driven through a ``Controller``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import Connection

from compute import context as ctx
from compute.conductor import operations as handlers
from compute.conductor.conductor import Conductor
from compute.conductor.handler import ConductorHandler
from compute.control import operation as control
from compute.db import claims, hosts, operations
from compute.objects.instance import Instance
from compute.objects.kinds import KINDS
from compute.objects.kinds.kind import CONDUCTOR, DESTINATION, SOURCE, Guard, Kind, NoArgs, Stage
from compute.objects.operation import FAILED, InstanceUpdate, Operation, StageBegan, Work
from compute.objects.request_spec import INCOMING, RequestSpec
from compute.objects.value import encode
from tests.unit.conductor.making import USER, Controller
from tests.unit.conductor.test_delete import built


@dataclasses.dataclass(frozen=True, kw_only=True)
class Luggage:
    """What the source finds."""

    found: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Route:
    """From b to a."""

    source: str | None = None
    destination: str | None = None
    found: str | None = None


TRAVEL = Kind[NoArgs, Route](
    name='travel', plan=Route, carry=Luggage, guard=Guard(vm_states=('active',)), begins=CONDUCTOR, deadline=1000,
    stages=(Stage('choosing', 'resize_prep', redo=True, at=CONDUCTOR),
            Stage('leaving', 'resize_migrating', redo=True, at=SOURCE, undo=True),
            Stage('arriving', 'resize_migrated', redo=True, at=DESTINATION, undo=True),
            Stage('starting', 'resize_finish', redo=False, at=DESTINATION, undo=True)))


class Traveller(ConductorHandler):
    """Claims the destination, moves the server there at the end, and notes what it is asked."""

    def __init__(self) -> None:
        self.advances: list[int] = []
        self.releases: list[int] = []

    def begin(self, conductor: Conductor, context: ctx.RequestContext, operation_ids: tuple[int, ...]) -> None:
        for number in operation_ids:
            conductor.submit(self._place, context, number)

    @staticmethod
    def _place(conductor: Conductor, context: ctx.RequestContext, number: int) -> None:
        given: list[Operation] = []

        def write(connection: Connection, work: Work) -> None:
            operation, server = work.operation, work.instance
            operations.begin_stage(connection, operation, 'choosing', conductor.host)
            spec = RequestSpec(instance_uuid=server.uuid, operation_id=operation.id, flavor=server.flavor,
                               purpose=INCOMING)
            assert claims.claim(connection, spec, hosts.get(connection, 'a').id)
            plan = encode(Route(source='b', destination='a'))
            operations.hand_over(connection, number, 'b', 15, leg=1, plan=plan)
            given[:] = [dataclasses.replace(operation, leg=1, host='b', plan=plan)]
        if conductor.lease(number, write) is not None:
            conductor.notify(context, given[0])

    def advanced(self, connection: Connection, operation: Operation, instance: Instance,
                 update: InstanceUpdate) -> None:
        super().advanced(connection, operation, instance, update)
        self.advances.append(operation.leg)

    def finish(self, connection: Connection, operation: Operation, update: InstanceUpdate,
               stages: tuple[StageBegan, ...]) -> Operation | None:
        claims.settle(connection, operation.instance_uuid, outgoing=False)
        return super().finish(connection, operation, update, stages)

    def released(self, connection: Connection, operation: Operation, instance: Instance) -> None:
        claims.release(connection, instance.uuid, INCOMING)
        self.releases.append(operation.leg)


class Travel:
    """A server that runs on b and is asked to go to a. ``number`` is the operation."""

    def __init__(self, controller: Controller, handler: Traveller) -> None:
        self.controller, self.handler = controller, handler
        self.key = built(controller)
        self.number = control.run(controller.cloud, USER, controller.instance(self.key), TRAVEL).id  # type: ignore[arg-type]

    @property
    def operation(self) -> Operation:
        """The operation as it is now."""
        return self.controller.operation(self.number)

    @property
    def server(self) -> Instance:
        """The server as it is now."""
        return self.controller.instance(self.key)

    def place(self) -> Travel:
        """Let a conductor do its leg."""
        handlers.OperationsEndpoint(self.controller.conductor).begin(USER, kind='travel', operation_ids=(self.number,))
        return self

    def begin(self, host: str) -> Work:
        """Let a host lease it."""
        return self.controller.begin(self.number, host)

    def finish(self, host: str, leg: int | None = None, update: InstanceUpdate | None = None,
               carry: dict[str, Any] | None = None, stages: tuple[StageBegan, ...] = (),
               undone: bool | None = None) -> None:
        """Let a host report that its leg succeeded, or is undone: as the state of the operation says."""
        self.controller.reports.finish(
            USER, operation_id=self.number, leg=self.operation.leg if leg is None else leg, carry=carry, stages=stages,
            update=update or InstanceUpdate(),
            undone=self.operation.state == 'undoing' if undone is None else undone, **self.controller.who(host))

    def fail(self, host: str) -> None:
        """Let a host report that its leg, or the undo of it, failed."""
        self.controller.fail(self.number, host)

    def leave(self) -> Travel:
        """Let the source do its leg, up to the hand-over to the destination."""
        self.place().begin('b')
        self.finish('b', carry={'found': 'a hat'})
        return self

    def arrive(self, stage: str = 'arriving') -> Travel:
        """Let the destination begin its leg, up to a stage."""
        self.leave().begin('a')
        if stage != 'arriving':
            self.controller.reports.progress(USER, operation_id=self.number, stage=stage, **self.controller.who('a'))
        return self

    def sweep(self, **values: Any) -> None:
        """Let the reaper look when the lease, or what is said, has run out."""
        self.controller.overdue(self.number, **values)
        self.controller.reaper.sweep()

    def told(self) -> list[str | None]:
        """Return who was notified, in order; None is a conductor."""
        return [sent.server for sent in self.controller.rpc.begun('travel')]


def failed(travel: Travel, code: str = 'disk_full', vm_state: str = 'active') -> bool:
    """Return whether it failed with this error, the server is on its host, and all is released, once."""
    operation, server = travel.operation, travel.server
    return bool(operation.state == FAILED and operation.error and operation.error.code == code
                and (server.vm_state, server.task_state, server.host) == (vm_state, None, 'b')
                and server.fault and server.fault.reason == code
                and travel.controller.claimed(travel.key) == ['b'] and len(travel.handler.releases) == 1)


@contextlib.contextmanager
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traveller]:
    """Let this release know the kind."""
    handler = Traveller()
    with monkeypatch.context() as patch:
        patch.setitem(KINDS, 'travel', TRAVEL)
        patch.setitem(handlers.HANDLERS, 'travel', handler)
        yield handler
