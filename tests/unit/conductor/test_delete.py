"""A server's end: everything that it held is given back, once, whoever does it."""

from __future__ import annotations

from typing import Any

import pytest

from compute import exception
from compute.conductor import create, delete
from compute.control.instances import delete as control
from compute.db import operations
from compute.objects.kinds.reboot import REBOOT
from compute.objects.nic import NicRequest
from compute.objects.operation import DONE, FAILED, InstanceUpdate
from tests.unit.conductor.making import LONG_AGO, USER, Controller


def built(controller: Controller, **changes: object) -> str:
    """Return a server that runs on b."""
    operation = controller.create(**changes)
    controller.conductor.submit(create.place, USER, operation.id)
    controller.begin(operation.id, 'b')
    controller.finish(operation.id, 'b')
    return operation.instance_uuid


def remove(controller: Controller, key: str) -> int:
    operation = controller.delete(key)
    controller.conductor.submit(delete.remove, USER, operation.id)
    return operation.id


def told(controller: Controller) -> list[str]:
    """Return the hosts that were told to delete, in order."""
    return [sent.server for sent in controller.rpc.begun('delete') if sent.server]


def test_by_its_host(controller: Controller) -> None:
    key = built(controller)
    number = remove(controller, key)
    assert controller.rpc.sent[-1:] == controller.rpc.begun('delete')[-1:] and told(controller) == ['b']
    assert not controller.instance(key).deleted and controller.claimed(key) == ['b']
    controller.begin(number, 'b')
    controller.finish(number, 'b', InstanceUpdate())
    instance = controller.instance(key)
    assert instance.deleted and instance.vm_state == 'deleted' and controller.claimed(key) == []
    assert controller.operation(number).state == DONE
    controller.finish(number, 'b', InstanceUpdate())  # said twice


@pytest.mark.parametrize('reason', ['never placed', 'host down'])
def test_without_a_host(controller: Controller, reason: str) -> None:
    mine = controller.networks.add_port(controller.network, project_id='p1')
    nics = (NicRequest(port_id=mine), NicRequest(network_id=controller.network))
    if reason == 'host down':
        key = built(controller, networks=nics)
        controller.networks.bind_port(None, mine, host='b', device_id=key)
        controller.networks.create_port(None, controller.network, project_id='p1', device_id=key, host='b')
        controller.down('b')
        controller.db.transaction(lambda connection: delete.instances.update(
            connection, key, nics=[{'port_id': mine, 'network_id': 'n', 'mac': 'm', 'owned': False}]))
    else:
        key = controller.create(networks=nics).instance_uuid
        controller.networks.bind_port(None, mine, host='b', device_id=key)
    number = remove(controller, key)
    assert controller.instance(key).deleted and controller.operation(number).state == DONE
    assert [(port.id, port.device_id) for port in controller.networks.ports] == [(mine, '')]


def test_a_network_service_that_is_down_delays_it(controller: Controller) -> None:
    key = controller.create().instance_uuid
    controller.networks.refuse(exception.Unavailable('down'))
    number = remove(controller, key)
    assert not controller.instance(key).deleted and controller.operation(number).owner is None
    controller.networks.refuse(None)
    controller.overdue(number)
    controller.reaper.sweep()
    assert controller.instance(key).deleted


def test_a_host_that_fails_is_asked_again(controller: Controller) -> None:
    key = built(controller)
    number = remove(controller, key)
    for _ in range(2):
        controller.begin(number, 'b')
        controller.fail(number, 'b')
        controller.overdue(number)
        controller.reaper.sweep()
    assert told(controller) == ['b'] * 3
    controller.begin(number, 'b')
    controller.finish(number, 'b', InstanceUpdate())
    assert controller.instance(key).deleted


def test_a_host_that_went_down_is_not_waited_for(controller: Controller) -> None:
    key = built(controller)
    number = remove(controller, key)
    controller.down('b')
    controller.overdue(number)
    controller.reaper.sweep()
    assert controller.instance(key).deleted
    controller.add_host('b')
    assert controller.reports.observed(USER, power_states={key: 1}, **controller.who('b')) == (key,)


def test_a_conductor_that_was_slow_does_not_end_what_the_host_does_by_now(
        controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it freed the ports its lease ran out, the host came back, and another conductor gave it to the host."""
    key = built(controller)
    controller.down('b')
    operation = controller.delete(key)

    def slow(*arguments: object, **options: object) -> None:
        def pass_on(connection: object) -> None:
            delete.operations.hand_over(connection, operation.id, 'b', 15)  # type: ignore[arg-type]
        controller.db.transaction(pass_on)
        controller.register('b')
        controller.begin(operation.id, 'b')
    monkeypatch.setattr(delete.ports, 'release', slow)
    controller.conductor.submit(delete.remove, USER, operation.id)
    assert not controller.instance(key).deleted and controller.operation(operation.id).owner == 'nova-compute@b'
    controller.finish(operation.id, 'b', InstanceUpdate())
    assert controller.instance(key).deleted


def test_a_conductor_that_was_paused_leaves_ports_that_are_another_servers_by_now(controller: Controller) -> None:
    """It was paused after it read which ports there are. Another conductor ended the delete, and the user went on."""
    mine = controller.networks.add_port(controller.network, project_id='p1')
    operation = controller.create(networks=(NicRequest(port_id=mine),))
    controller.networks.bind_port(None, mine, host='b', device_id=operation.instance_uuid)
    number = controller.delete(operation.instance_uuid).id
    ports_of = controller.networks.ports_of

    def paused(device_id: str) -> object:
        found = ports_of(device_id)
        controller.db.transaction(lambda connection: operations.seize(connection, number, 'another', 'its', 30))
        controller.networks.unbind_port(None, mine)
        controller.networks.bind_port(None, mine, host='a', device_id='next')
        return found
    controller.networks.ports_of = paused  # type: ignore[method-assign, assignment]
    controller.conductor.submit(delete.remove, USER, number)
    assert controller.networks.port(None, mine).device_id == 'next'


def test_a_host_that_was_only_cut_off_is_told_which_guests_to_remove(controller: Controller) -> None:
    key = built(controller)
    stays = {'a stranger': 1, controller.create().instance_uuid: 1}
    remove(controller, key)
    controller.down('b')
    number = controller.newest(key).id
    controller.overdue(number)
    controller.reaper.sweep()
    assert controller.instance(key).deleted
    assert controller.reports.observed(USER, power_states={key: 1, **stays},
                                       **controller.who('b')) == (key,)


def test_a_conductor_that_lost_it_writes_nothing(controller: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    key = controller.create().instance_uuid
    operation = controller.delete(key)
    monkeypatch.setattr(controller.conductor, 'holds', lambda connection, number: False)
    controller.conductor.submit(delete.remove, USER, operation.id)
    assert not controller.instance(key).deleted and controller.operation(operation.id).stage == ''
    assert controller.db.read(lambda connection: operations.events_of(connection, operation.id)) == []


def test_past_its_deadline_the_server_says_why_and_can_be_deleted_again(controller: Controller) -> None:
    key = built(controller)
    number = remove(controller, key)
    controller.begin(number, 'b')
    controller.overdue(number, deadline_at=LONG_AGO)
    controller.reaper.sweep()
    instance = controller.instance(key)
    assert (instance.vm_state, instance.task_state, controller.operation(number).state) == ('error', None, FAILED)
    assert instance.fault is not None and instance.fault.reason == 'deadline'
    again = remove(controller, key)
    assert again != number
    controller.begin(again, 'b')
    controller.finish(again, 'b', InstanceUpdate())
    assert controller.instance(key).deleted


def test_asked_for_twice_it_is_done_once(controller: Controller) -> None:
    key = built(controller)
    first, second = controller.delete(key), controller.delete(key)
    assert first.id == second.id
    controller.conductor.submit(delete.remove, USER, first.id)
    controller.begin(first.id, 'b')
    controller.finish(first.id, 'b', InstanceUpdate())
    with pytest.raises(exception.NotFound):
        controller.cloud.db.transaction(lambda connection: delete.instances.get(connection, key))


def test_a_port_the_user_brought_survives_a_build_that_failed(controller: Controller) -> None:
    """Its host died before it said whose the ports are."""
    brought = controller.networks.add_port(controller.network, project_id='p1')
    operation = controller.create(networks=(NicRequest(port_id=brought),))
    controller.conductor.submit(create.place, USER, operation.id)
    host = controller.builds()[-1] or ''
    controller.begin(operation.id, host)
    controller.networks.bind_port(None, brought, device_id=operation.instance_uuid, host=host)
    controller.fail(operation.id, host, retryable=False)
    assert controller.instance(operation.instance_uuid).vm_state == 'error'
    remove(controller, operation.instance_uuid)
    assert controller.instance(operation.instance_uuid).deleted
    assert [(port.id, port.device_id) for port in controller.networks.ports] == [(brought, '')]


def test_one_that_was_asked_for_in_the_same_moment_is_seen(controller: Controller,
                                                           monkeypatch: pytest.MonkeyPatch) -> None:
    key, update, times = built(controller), control.instances.update, []

    def late(connection: Any, uuid: str, **values: Any) -> bool:
        times.append(uuid)
        if len(times) == 1:  # committed by another while we waited for the row
            control.operations.insert(connection, control.operation.new(
                USER, controller.instance(key), REBOOT, host='b', begin_within=60))
        return bool(update(connection, uuid, **values))
    monkeypatch.setattr(control.instances, 'update', late)
    operation = controller.delete(key)
    assert len(times) == 2
    assert [each.id for each in controller.db.read(
        lambda connection: operations.open_of_instance(connection, key))] == [operation.id]
