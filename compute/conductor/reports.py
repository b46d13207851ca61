"""What hosts say, written down. A host may report only on operations that it holds and on servers that are on it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import logging
from collections.abc import Iterator
from typing import Any

from sqlalchemy.engine import Connection

from compute import context as ctx
from compute import exception, metrics, states
from compute.conductor import ending, legs
from compute.conductor.conductor import Conductor
from compute.conductor.operations import handler_of, known
from compute.db import claims, hosts, injected_files, instances, operations, services
from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.objects.kinds import KINDS, kind_of
from compute.objects.operation import (
    DONE,
    ENDED,
    FAILED,
    QUEUED,
    RUNNING,
    UNDOING,
    InstanceUpdate,
    Operation,
    OperationError,
    OperationRef,
    StageBegan,
    Work,
)
from compute.objects.registration import HostReport, Registration
from compute.objects.value import now
from compute.rpc.conductor import Reports

LOG = logging.getLogger(__name__)
BINARY = 'nova-compute'
MAX_MESSAGE = 4000


def owner_of(host: str) -> str:
    """Return the name under which a host's worker holds leases."""
    return f'{BINARY}@{host}'


class ReportsEndpoint(Reports):
    """The only way from a host to the store."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._db, self._options = conductor.db, conductor.conf.conductor

    def register(self, context: ctx.RequestContext, *, report: HostReport, inventory: Inventory) -> Registration:
        def write(connection: Connection) -> Registration:
            service = services.beat(connection, report.host, BINARY, 'worker', report.incarnation,
                                    report.availability_zone, disabled=not self._options.enable_new_hosts)
            hosts.upsert(connection, report, inventory, service.id)
            held = [self._seize(connection, operation, report)
                    for operation in operations.held_on_host(connection, report.host)]
            return Registration(service_uuid=service.uuid, held=tuple(each for each in held if each),
                                instances=tuple(instances.of_host(connection, report.host)),
                                left_aside=tuple(claims.unclaimed_on(connection, report.host, report.aside)),
                                lease=self._options.lease)
        registration = self._db.transaction(write)
        LOG.info('host %s registered (incarnation %s): %d servers, %d operations of its predecessor', report.host,
                 report.incarnation, len(registration.instances), len(registration.held))
        return registration

    def _departed(self, connection: Connection, host: str, uuids: set[str]) -> set[str]:
        """Return those of these servers whose guests the ledger says are no longer to be on a host."""
        since = now() - datetime.timedelta(seconds=self._options.deleted_retention)
        return {*instances.deleted_on_host(connection, host, uuids, since),
                *operations.left_behind(connection, host, uuids)}

    def _seize(self, connection: Connection, operation: Operation, report: HostReport) -> OperationRef | None:
        """Lease an operation of the predecessor for the worker that starts; None if it ended meanwhile."""
        if not operations.seize(connection, operation.id, owner_of(report.host), report.incarnation,
                                self._options.lease):
            return None
        return operation.ref

    def heartbeat(self, context: ctx.RequestContext, *, host: str, incarnation: str, operations: tuple[int, ...],
                  problems: tuple[str, ...] = (), health: dict[str, Any] | None = None) -> tuple[int, ...]:
        from compute.db import operations as ledger

        def write(connection: Connection) -> tuple[int, ...]:
            if not services.touch(connection, host, BINARY, incarnation, list(problems) if health is None else health):
                raise _stale(host)
            kept = ledger.renew(connection, operations, owner_of(host), incarnation, self._options.lease)
            return tuple(number for number in operations if number not in kept)
        with _refusals('heartbeat', host, incarnation):
            return self._db.transaction(write)

    def inventory(self, context: ctx.RequestContext, *, host: str, incarnation: str, inventory: Inventory) -> None:
        def write(connection: Connection) -> None:
            self._current(connection, host, incarnation)
            hosts.update_inventory(connection, host, inventory)
        with _refusals('inventory', host, incarnation):
            self._db.transaction(write)

    def begin(self, context: ctx.RequestContext, *, host: str, incarnation: str, operation_id: int) -> Work:
        def write(connection: Connection) -> Work:
            operation = operations.lease(connection, operation_id, owner_of(host), incarnation, self._options.lease,
                                         services.is_current(host, BINARY, incarnation), host=host)
            if operation is None:
                self._current(connection, host, incarnation)
                whose = _whose(operations.get(connection, operation_id))
                raise exception.Stale(f'operation {operation_id} is not for {host} to begin: {whose}')
            instance = instances.find(connection, operation.instance_uuid)
            if instance is None:
                raise exception.Stale(f'server {operation.instance_uuid} of operation {operation_id} is gone')
            stage = _first_stage(operation)
            if stage is not None:
                self._note(connection, operation, instance, (StageBegan(name=stage),), host)
            leased = dataclasses.replace(operation, updated_at=now())
            return Work(operation=leased, instance=instance, noted=stage,
                        files=injected_files.contents(connection, instance))
        with _refusals('begin', host, incarnation, operation_id):
            return self._db.transaction(write)

    def progress(self, context: ctx.RequestContext, *, host: str, incarnation: str, operation_id: int, stage: str,
                 update: InstanceUpdate | None = None, stages: tuple[StageBegan, ...] = ()) -> None:
        def write(connection: Connection) -> None:
            operation, instance = self._held(connection, host, incarnation, operation_id)
            self._note(connection, operation, instance, stages or (StageBegan(name=stage),), host, update)
        with _refusals('progress', host, incarnation, operation_id):
            self._db.transaction(write)

    @staticmethod
    def _note(connection: Connection, operation: Operation, instance: Instance, stages: tuple[StageBegan, ...],
              host: str, update: InstanceUpdate | None = None) -> None:
        task_state = known(operation.kind).stage(stages[-1].name).shows
        operations.begin_stages(connection, operation, stages, host)
        instances.update(connection, instance.uuid, task_state=task_state, **ending.changes(update, host))

    def finish(self, context: ctx.RequestContext, *, host: str, incarnation: str, operation_id: int, leg: int,
               update: InstanceUpdate, carry: dict[str, Any] | None = None,
               stages: tuple[StageBegan, ...] = (), undone: bool = False) -> None:
        def write(connection: Connection) -> Operation | None:
            operation = operations.is_held(connection, operation_id, owner_of(host), incarnation)
            if operation is None or (operation.leg, operation.state == UNDOING) != (leg, undone):
                self._check_reported_before(connection, host, incarnation, operation_id, leg, undone)
                return None
            handler = handler_of(operation.kind)
            if not undone and leg + 1 == len(kind_of(operation.kind).legs):
                return handler.finish(connection, operation, update, stages)
            instance = instances.get(connection, operation.instance_uuid)
            within = self._options.begin_timeout
            if undone:
                if values := ending.changes(update, host):
                    instances.update(connection, instance.uuid, **values)
                return handler.undone(connection, operation, instance, within)
            given = legs.advance(connection, operation, instance, carry, stages, within)
            handler.advanced(connection, operation, instance, update)
            return given
        with _refusals('finish', host, incarnation, operation_id):
            given = self._db.transaction(write)
        if given is not None:
            self._go_on(context, given)

    def _go_on(self, context: ctx.RequestContext, given: Operation) -> None:
        """Notify the place of the next leg; a conductor goes on with it here."""
        if given.host is not None:
            self._conductor.notify(context, given)
        else:
            instance = self._db.read(lambda connection: instances.get(connection, given.instance_uuid))
            self._conductor.submit(handler_of(given.kind).resume, context, Work(operation=given, instance=instance))

    def fail(self, context: ctx.RequestContext, *, host: str, incarnation: str, operation_id: int,
             error: OperationError, update: InstanceUpdate | None = None,
             stages: tuple[StageBegan, ...] = ()) -> None:
        error = dataclasses.replace(error, message=error.message[:MAX_MESSAGE])

        def write(connection: Connection) -> Work:
            operation, instance = self._held(connection, host, incarnation, operation_id)
            if stages:
                operations.begin_stages(connection, operation, stages, host)
            if update is not None and (values := ending.changes(update, host)):
                instances.update(connection, instance.uuid, **values)
            # From here on it is the conductor's: a repeated report of the host is refused.
            operations.seize(connection, operation_id, self._conductor.owner, self._conductor.incarnation,
                             self._options.lease)
            return Work(operation=operation, instance=instance)
        with _refusals('fail', host, incarnation, operation_id):
            work = self._db.transaction(write)
        LOG.warning('operation %s (%s of %s) failed on %s at %s: %s', operation_id, work.operation.kind,
                    work.instance.uuid, host, error.stage, error.message)
        self._conductor.submit(handler_of(work.operation.kind).failed, context, work, error)

    def observed(self, context: ctx.RequestContext, *, host: str, incarnation: str,
                 power_states: dict[str, int], after: dict[str, int] | None = None) -> tuple[str, ...]:
        def write(connection: Connection) -> tuple[str, ...]:
            self._current(connection, host, incarnation)
            here = {uuid: instance for uuid, instance in instances.of_uuids(connection, power_states).items()
                    if instance.host == host}
            told = {uuid for uuid, instance in here.items() if _differs(instance, power_states[uuid])}
            if after is not None and told:
                newest = operations.newest_of_worker(connection, told, owner_of(host), incarnation)
                told = {uuid for uuid in told if newest.get(uuid, 0) <= after.get(uuid, 0)}
            stop = [uuid for uuid in told if _observe(connection, here[uuid], power_states[uuid])]
            if len(here) < len(power_states):
                stop += self._departed(connection, host, set(power_states) - set(here))
            return tuple(stop)
        with _refusals('observed', host, incarnation):
            return self._db.transaction(write)

    def instances(self, context: ctx.RequestContext, *, host: str, incarnation: str) -> list[Instance]:
        def find(connection: Connection) -> list[Instance]:
            self._current(connection, host, incarnation)
            return instances.of_host(connection, host)
        with _refusals('instances', host, incarnation):
            return self._db.read(find)

    def _current(self, connection: Connection, host: str, incarnation: str) -> None:
        service = services.find(connection, host, BINARY)
        if service is None or service.incarnation != incarnation:
            raise _stale(host)

    def _check_reported_before(self, connection: Connection, host: str, incarnation: str, operation_id: int, leg: int,
                               undone: bool) -> None:
        """Return if this report is repeated because its answer got lost. :raises Stale: it is not."""
        operation = operations.get(connection, operation_id)
        if undone:  # legs are undone last first
            behind = operation.leg < leg or (operation.leg == leg and operation.state == FAILED)
        else:
            behind = operation.leg > leg and operation.state in (QUEUED, RUNNING, DONE)
        ended_it = (operation.state, operation.owner, operation.incarnation) == (DONE, owner_of(host), incarnation)
        if (ended_it and not undone) or (behind and operations.ran_on(connection, operation_id, host)):
            return
        self._held(connection, host, incarnation, operation_id)
        raise exception.Stale(f'operation {operation_id} is {operation.state} at leg {operation.leg}; the report of '
                              f'{host} is on leg {leg}')

    def _held(self, connection: Connection, host: str, incarnation: str,
              operation_id: int) -> tuple[Operation, Instance]:
        operation = operations.is_held(connection, operation_id, owner_of(host), incarnation)
        if operation is None:
            self._current(connection, host, incarnation)
            raise exception.Stale(f'operation {operation_id} is not held by {host}: '
                                  f'{_whose(operations.get(connection, operation_id))}')
        instance = instances.find(connection, operation.instance_uuid)
        if instance is None:
            raise exception.Stale(f'server {operation.instance_uuid} is gone')
        return operation, instance


def _went_off(instance: Instance, power_state: int) -> bool:
    return power_state in (states.SHUTDOWN, states.CRASHED) and instance.vm_state in (states.ACTIVE, states.PAUSED_VM)


def _should_be_off(instance: Instance, power_state: int) -> bool:
    return power_state == states.RUNNING and instance.vm_state == states.STOPPED


def _differs(instance: Instance, power_state: int) -> bool:
    """Tell whether an observation says more than is known of a server on which no operation goes on."""
    return instance.task_state is None and (instance.power_state != power_state or _went_off(instance, power_state)
                                            or _should_be_off(instance, power_state))


def _observe(connection: Connection, instance: Instance, power_state: int) -> bool:
    """Write what a guest is now, unless it should be off and is not: tell that."""
    if _should_be_off(instance, power_state):
        return True
    values = {'vm_state': states.STOPPED} if _went_off(instance, power_state) else {}
    # Only if nothing began meanwhile: what an operation writes is newer.
    instances.swap(connection, instance.uuid, vm_states=(instance.vm_state,), task_states=(None,),
                   power_state=power_state, **values)
    return False


@contextlib.contextmanager
def _refusals(report: str, host: str, incarnation: str, operation_id: int | None = None) -> Iterator[None]:
    """Log and count reports that are refused: a host that speaks of what is not its own is late, or is another."""
    try:
        yield
    except exception.Stale as error:
        metrics.count('compute_reports_refused_total', report,
                      'superseded' if isinstance(error, exception.Superseded) else 'not_held')
        LOG.warning('report %s of host %s (incarnation %s)%s is refused: %s', report, host, incarnation,
                    '' if operation_id is None else f' on operation {operation_id}', error.message)
        raise


def _first_stage(operation: Operation) -> str | None:
    """Return the stage with which a host begins its leg; None if it is to undo the leg, or the kind is not known."""
    declared = KINDS.get(operation.kind)
    if operation.state == UNDOING or declared is None:
        return None
    return declared.legs[operation.leg].stages[0].name


def _whose(operation: Operation) -> str:
    """Return how an operation is and who has it, for whom it does not belong to."""
    if operation.state in ENDED:
        return f'it is {operation.state} since {operation.finished_at}'
    if operation.owner is None:
        return f'it is {operation.state} and waits for {operation.host or "a conductor"}'
    return (f'it is {operation.state} and held by {operation.owner} (incarnation {operation.incarnation}) until '
            f'{operation.lease_until}')


def _stale(host: str) -> exception.Stale:
    return exception.Superseded(f'host {host} has a newer incarnation; this one may not report any more')
