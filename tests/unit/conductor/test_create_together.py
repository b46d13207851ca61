"""Servers of one request are placed together; what cannot be is placed alone, and nothing is placed twice."""

from __future__ import annotations

import uuid
from typing import Any

from compute import exception
from compute.conductor import delete
from compute.control.instances import create as control
from compute.control.instances.request import CreateRequest
from compute.db import operations, server_groups
from compute.objects.nic import NicRequest
from compute.objects.operation import CANCELLED, FAILED, Operation
from tests.unit.conductor.making import USER, Controller


def make(controller: Controller, count: int, **changes: Any) -> list[Operation]:
    """Ask for ``count`` servers in one request."""
    for name in ('instances', 'cores', 'ram'):
        controller.conf.set_override(name, -1, 'quota')
    request = CreateRequest(**{
        'name': 'vm', 'image_id': str(uuid.uuid4()), 'flavor_id': '1', 'admin_pass': 'x', 'min_count': count,
        'max_count': count, 'networks': (NicRequest(network_id=controller.network),), **changes})
    made = control.create(controller.cloud, USER, request)  # type: ignore[arg-type]
    return [controller.newest(key) for key in made.uuids]


def deliver(controller: Controller) -> None:
    """Let the conductor take the casts of the last request."""
    from compute.conductor.operations import OperationsEndpoint
    endpoint = OperationsEndpoint(controller.conductor)
    casts = [sent for sent in controller.rpc.begun('create') if sent.server is None]
    controller.rpc.sent = [sent for sent in controller.rpc.sent if sent not in casts]
    for sent in casts:
        endpoint.begin(USER, **sent.arguments)


def stages(controller: Controller, operation: Operation) -> list[str]:
    return [event.name for event in controller.db.read(
        lambda connection: operations.events_of(connection, operation.id))]


def placed(controller: Controller, made: list[Operation]) -> list[str | None]:
    return [controller.instance(each.instance_uuid).host for each in made]


def test_one_question_for_all(controller: Controller) -> None:
    made = make(controller, 5)
    assert [sent.arguments for sent in controller.rpc.begun('create')] == [
        {'kind': 'create', 'operation_ids': tuple(each.id for each in made)}]
    deliver(controller)
    assert (len(controller.rpc.of('select_many')), len(controller.rpc.of('select'))) == (1, 0)
    hosts = placed(controller, made)
    assert None not in hosts and controller.builds() == hosts
    for each in made:
        operation = controller.operation(each.id)
        assert (operation.host, operation.owner) == (controller.instance(each.instance_uuid).host, None)
        assert controller.claimed(each.instance_uuid) == [operation.host]
        assert operation.plan['alternates'] == [name for name in ('a', 'b') if name != operation.host]
        assert (operation.args['admin_pass'], stages(controller, operation)) == ('x', ['scheduling'])
    assert controller.conductor.working() == ()


def test_a_large_request_is_told_in_parts(controller: Controller) -> None:
    made = make(controller, 45)
    told = [sent.arguments['operation_ids'] for sent in controller.rpc.begun('create')]
    assert [len(part) for part in told] == [20, 20, 5]
    assert [number for part in told for number in part] == [each.id for each in made]


def test_said_twice_places_once(controller: Controller) -> None:
    made = make(controller, 3)
    sent = list(controller.rpc.sent)
    deliver(controller)
    hosts = placed(controller, made)
    controller.rpc.sent = sent
    deliver(controller)
    assert placed(controller, made) == hosts
    assert all(controller.claimed(each.instance_uuid) == [host] for each, host in zip(made, hosts, strict=True))


def test_where_not_all_fit_the_rest_is_told_why(controller: Controller) -> None:
    made = make(controller, 17)  # two hosts of 8 GiB, less what is kept back
    deliver(controller)
    states = [controller.operation(each.id) for each in made]
    failed = [each for each in states if each.state == FAILED]
    assert failed and all(each.error is not None and each.error.code == 'no_valid_host' for each in failed)
    assert len(controller.builds()) == len(made) - len(failed)
    assert all(stages(controller, each) == ['scheduling'] for each in states)


def test_a_scheduler_of_the_release_before(controller: Controller) -> None:
    controller.rpc.answers['select_many'] = exception.Unavailable('does not know it', code='rpc_version')
    made = make(controller, 3)
    deliver(controller)
    assert None not in placed(controller, made) and len(controller.rpc.of('select')) == 3


def test_without_a_scheduler_all_wait_for_the_reaper(controller: Controller) -> None:
    select_many = controller.rpc.answers['select_many']
    controller.rpc.answers['select_many'] = exception.RpcTimeout('nobody answers')
    made = make(controller, 3)
    deliver(controller)
    assert [controller.operation(each.id).owner for each in made] == [None] * 3 and controller.builds() == []
    controller.rpc.answers['select_many'] = select_many
    for each in made:
        controller.overdue(each.id)
    assert controller.reaper.sweep() == 3
    assert None not in placed(controller, made)


def test_who_was_deleted_meanwhile_is_left_out(controller: Controller) -> None:
    made, select_many = make(controller, 3), controller.rpc.answers['select_many']

    def meanwhile(specs: Any) -> Any:
        chosen = select_many(specs)
        delete.remove(controller.conductor, USER, controller.delete(made[1].instance_uuid).id)
        return chosen
    controller.rpc.answers['select_many'] = meanwhile
    deliver(controller)
    assert len(controller.builds()) == 2 and controller.operation(made[1].id).state == CANCELLED


def test_what_another_conductor_took_is_not_handed_over(controller: Controller) -> None:
    made, select_many = make(controller, 2), controller.rpc.answers['select_many']

    def meanwhile(specs: Any) -> Any:
        chosen = select_many(specs)
        controller.db.transaction(lambda connection: operations.seize(connection, made[0].id, 'other', 'i', 60))
        return chosen
    controller.rpc.answers['select_many'] = meanwhile
    deliver(controller)
    assert len(controller.builds()) == 1 and controller.operation(made[0].id).owner == 'other'


def test_members_of_a_group_are_placed_one_by_one(controller: Controller) -> None:
    group = controller.db.transaction(lambda connection: server_groups.insert(
        connection, project_id='p1', user_id='ann', name='g', policy='anti-affinity'))
    made = make(controller, 2, hints={'group': group})
    deliver(controller)
    assert sorted(placed(controller, made), key=str) == ['a', 'b'] and not controller.rpc.of('select_many')
