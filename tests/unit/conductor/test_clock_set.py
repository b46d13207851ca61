"""The wall clock of a controller is set forward while work goes on: nothing under way is lost, or done twice."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
import sqlalchemy as sa

from compute import exception
from compute.clock import ClockWatch
from compute.conductor import create
from compute.db.tables import hosts as hosts_table
from compute.db.tables import operations as operations_table
from compute.db.tables import services as services_table
from compute.objects.operation import FAILED, RUNNING
from compute.scheduler.select import SelectEndpoint
from tests.contract.db.stores import add_host, add_server, open_store
from tests.unit.conductor.making import USER, Controller
from tests.unit.scheduler.making import make_conf
from tests.waiting import deadline

JUMP = 600.0


class Watched:
    """A watch that saw the wall clock being set a moment ago; ``passed``: seconds of both clocks since then."""

    def __init__(self) -> None:
        self.passed, behind = 0.0, [JUMP]
        self.watch = ClockWatch(lambda: time.time() - behind[0] + self.passed, lambda: deadline(0) + self.passed)
        behind[0] = 0.0


def write_as_before(connection: Any) -> None:
    """Leave the times in the store as a clock that stood ``JUMP`` earlier wrote them."""
    for table, names in ((services_table, ('last_seen_at',)),
                         (operations_table, ('lease_until', 'deadline_at', 'created_at', 'updated_at'))):
        for row in connection.execute(sa.select(table)).all():
            values = {name: getattr(row, name) - datetime.timedelta(seconds=JUMP) for name in names
                      if getattr(row, name) is not None}
            connection.execute(table.update().where(table.c.id == row.id).values(**values))


def set_forward(controller: Controller) -> Watched:
    """Set the clock of the machine that everything runs on."""
    watched = Watched()
    controller.conductor.clock = watched.watch
    controller.db.transaction(write_as_before)
    return watched


def test_what_a_host_works_on_stays_its_own(controller: Controller) -> None:
    operation = controller.create()
    controller.conductor.submit_placing((operation.id,), create.place, USER, operation.id)
    controller.begin(operation.id, 'b')
    watched = set_forward(controller)
    assert controller.reaper.sweep() == 0
    controller.reports.heartbeat(USER, operations=(operation.id,), **controller.who('b'))
    watched.passed = controller.conf.conductor.lease
    controller.reaper.sweep()
    assert controller.builds() == ['b'], 'it was not sent again'
    controller.finish(operation.id, 'b')
    assert controller.instance(operation.instance_uuid).vm_state == 'active'


def test_time_that_did_not_pass_does_not_bring_the_deadline(controller: Controller) -> None:
    operation = controller.create()
    controller.conductor.submit_placing((operation.id,), create.place, USER, operation.id)
    controller.begin(operation.id, 'b')
    soon = datetime.datetime.now(datetime.UTC).replace(tzinfo=None) + datetime.timedelta(seconds=JUMP / 2)
    controller.overdue(operation.id, deadline_at=soon)
    watched = set_forward(controller)
    watched.passed = controller.conf.conductor.lease
    controller.reports.heartbeat(USER, operations=(operation.id,), **controller.who('b'))
    controller.reaper.sweep()
    found = controller.operation(operation.id)
    assert (found.state, found.owner) == (RUNNING, 'nova-compute@b'), 'it goes on, with its lease'
    controller.conductor.clock = ClockWatch()  # without the jump it is past its deadline
    controller.reaper.sweep()
    assert controller.operation(operation.id).state == FAILED


def test_an_abandoned_operation_is_taken_up_when_leases_were_renewed(controller: Controller) -> None:
    operation = controller.create()
    watched = set_forward(controller)
    assert controller.reaper.sweep() == 0
    for name, memory_mb in (('a', 4096), ('b', 8192)):
        controller.register(name, memory_mb)
    watched.passed = controller.conf.conductor.lease
    assert controller.reaper.sweep() == 1
    assert controller.builds() == ['b'] and controller.operation(operation.id).host == 'b'


def test_a_scheduler_waits_for_hosts_to_report_again(tmp_path: Any) -> None:
    store = open_store(f'sqlite:///{tmp_path}/store.sqlite')
    place, spec = add_host(store, 'one'), add_server(store)
    store.transaction(write_as_before)
    watched = Watched()
    scheduler = SelectEndpoint(store, make_conf(), clock=watched.watch)
    with pytest.raises(exception.Unavailable) as caught:
        scheduler.select(None, spec=spec)
    assert caught.value.code == 'clock_set'
    add_host(store, 'one', told={'node_uuid': store.scalar(sa.select(hosts_table.c.uuid))})
    assert scheduler.select(None, spec=spec).host_id == place
    store.transaction(write_as_before)
    watched.passed = 60.0
    with pytest.raises(exception.NoValidHost):
        SelectEndpoint(store, make_conf(), clock=watched.watch).select(None, spec=add_server(store))
    store.dispose()
