"""A worker that was paused in the middle of something, and replaced, learns that before it goes on."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from compute import exception
from compute.objects.network import Port
from compute.objects.nic import NicRequest
from compute.worker.job import Job
from tests.unit.worker.test_job import Ledger, begun
from tests.unit.worker.test_operations import UUID, Host


@pytest.mark.parametrize(('kind', 'args', 'call'), [
    ('stop', {}, 'power_off'), ('reboot', {'type': 'SOFT'}, 'reboot_soft')])
def test_a_guest_that_may_have_been_started_again_is_left(kind: str, args: dict[str, Any], call: str) -> None:
    host = Host()
    host.run(host.work('create'))
    host.driver.ignore_shutdown(UUID)
    host.conf.set_override('shutdown_timeout', 0.01, 'worker')
    original = getattr(host.driver, call)

    def paused(*arguments: Any) -> Any:
        host.conductor.stale = True
        return original(*arguments)
    setattr(host.driver, call, paused)
    boots = host.driver._store.guests[UUID].boots
    assert host.run(host.work(kind, args=args)) is None
    guest = host.driver._store.guests[UUID]
    assert (guest.power_state, guest.boots) == (1, boots)


def made(trust: float) -> tuple[Job, list[int]]:
    """Return a job that believes for so long, and what it asks."""
    ledger, asked = Ledger(lease=3 * trust), []  # type: ignore[var-annotated]
    ledger.holds = lambda number: bool(asked.append(number))  # type: ignore[attr-defined]
    return begun(ledger), asked


def test_a_wait_asks_the_ledger_when_it_did_not_confirm_lately() -> None:
    job, asked = made(600.0)
    assert not job.interrupt.wait(0) and not job.interrupt.is_set() and not asked
    job, asked = made(0.0)
    with pytest.raises(exception.Stale):
        job.interrupt.wait(0)
    assert asked == [1]


def test_a_wait_ends_when_the_operation_is_cancelled() -> None:
    job, asked = made(0.0)
    job.cancelled.set()
    assert job.interrupt.wait() and job.interrupt.is_set() and not asked
    assert isinstance(job.interrupt, threading.Event)


def test_a_port_that_a_user_gave_to_another_server_meanwhile_is_left() -> None:
    """It was paused between the list of ports and the first of them. The delete is done, its ports are free again."""
    host = Host()
    mine = host.networks.add_port(host.network, project_id='p1')
    nics = (NicRequest(port_id=mine), NicRequest(network_id=host.network))
    host.run(host.work('create', nics=nics))
    ports_of = host.networks.ports_of

    def paused(device_id: str) -> list[Port]:
        found = ports_of(device_id)
        host.networks.unbind_port(None, mine)
        host.networks.bind_port(None, mine, host='h1', device_id='another')
        host.conductor.stale = True
        return found
    host.networks.ports_of = paused  # type: ignore[method-assign]
    assert host.run(host.work('delete', nics=nics)) is None
    assert host.networks.port(None, mine).device_id == 'another' and len(host.networks.ports) == 2


def test_surplus_ports_that_may_be_its_successors_are_left() -> None:
    host = Host()
    ports_of = host.networks.ports_of

    def paused(device_id: str) -> list[Port]:
        if host.driver.guests():
            host.networks.create_port(None, host.network, project_id='p1', device_id=device_id, host='h1')
            host.conductor.stale = True
        return ports_of(device_id)
    host.networks.ports_of = paused  # type: ignore[method-assign]
    host.runner._cut_off = True  # replaced: it undoes nothing
    assert host.run(host.work('create', nics=(NicRequest(network_id=host.network),), attempt=1)) is None
    assert len(host.networks.ports) == 2
