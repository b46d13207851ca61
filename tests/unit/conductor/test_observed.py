"""What a host sees of its guests, against what operations wrote meanwhile: what is old changes nothing."""

from __future__ import annotations

import pytest

from compute import states
from compute.conductor import create
from compute.control import operation as control
from compute.objects.instance import Instance
from compute.objects.kinds.kind import PlainKind
from compute.objects.kinds.start import START
from compute.objects.kinds.stop import STOP
from compute.objects.operation import InstanceUpdate, Operation
from tests.unit.conductor.making import USER, Controller

ON = InstanceUpdate(vm_state=states.ACTIVE, power_state=states.RUNNING, launched=True)
OFF = InstanceUpdate(vm_state=states.STOPPED, power_state=states.SHUTDOWN)


@pytest.fixture
def server(controller: Controller) -> str:
    """Return a server that runs on b."""
    operation = controller.create()
    controller.conductor.submit(create.place, USER, operation.id)
    done(controller, operation, ON)
    return operation.instance_uuid


def done(controller: Controller, operation: Operation, update: InstanceUpdate) -> int:
    """Let the host do an operation, and return its number."""
    controller.begin(operation.id, 'b')
    controller.finish(operation.id, 'b', update)
    return operation.id


def asked(controller: Controller, server: str, kind: PlainKind) -> Operation:
    return control.run(controller.cloud, USER, controller.instance(server), kind)


def stopped(controller: Controller, server: str) -> int:
    return done(controller, asked(controller, server, STOP), OFF)


def started(controller: Controller, server: str) -> int:
    return done(controller, asked(controller, server, START), ON)


def observe(controller: Controller, server: str, power_state: int, after: int | None = None) -> tuple[str, ...]:
    known = {server: after} if after is not None else {}
    return controller.reports.observed(USER, power_states={server: power_state}, after=known, **controller.who('b'))


def state(controller: Controller, server: str) -> tuple[str, int]:
    instance: Instance = controller.instance(server)
    return instance.vm_state, instance.power_state


def test_a_guest_that_went_off_by_itself_makes_its_server_stopped(controller: Controller, server: str) -> None:
    assert observe(controller, server, states.SHUTDOWN, controller.newest(server).id) == ()
    assert state(controller, server) == (states.STOPPED, states.SHUTDOWN)


def test_what_was_seen_before_a_start_is_not_believed_after_it(controller: Controller, server: str) -> None:
    """The message comes late, or a second time, when the start has ended."""
    number = stopped(controller, server)
    newest = started(controller, server)
    assert observe(controller, server, states.SHUTDOWN, number) == ()
    assert state(controller, server) == (states.ACTIVE, states.RUNNING)
    observe(controller, server, states.SHUTDOWN, newest)
    assert state(controller, server) == (states.STOPPED, states.SHUTDOWN)


def test_what_was_seen_before_a_stop_does_not_stop_anything_again(controller: Controller, server: str) -> None:
    before = controller.newest(server).id
    number = stopped(controller, server)
    assert observe(controller, server, states.RUNNING, before) == ()
    assert observe(controller, server, states.RUNNING, number) == (server,)


def test_a_worker_that_was_started_anew_has_seen_nothing_before_its_start(controller: Controller, server: str) -> None:
    """What its predecessor did is in the ledger, and not known to it: all that it sees is news."""
    controller.add_host('b')
    observe(controller, server, states.SHUTDOWN)
    assert state(controller, server) == (states.STOPPED, states.SHUTDOWN)


def test_a_worker_of_an_older_release_does_not_say_when_it_looked(controller: Controller, server: str) -> None:
    controller.reports.observed(USER, power_states={server: states.SHUTDOWN}, **controller.who('b'))
    assert state(controller, server) == (states.STOPPED, states.SHUTDOWN)
