"""A worker of the last release under today's conductor, and today's worker under a conductor of the last release.

The old side is spoken from its record: it knows no argument, field or method that came later, and all that passes goes
over JSON as on the bus.
"""

from __future__ import annotations

import datetime
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compute import context as ctx
from compute import exception
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.operation import Operation, Work
from compute.objects.value import decode, encode, now
from compute.rpc.conductor import Reports
from compute.rpc.interface import Interface
from compute.rpc.worker import Operations
from compute.virt.fake.driver import FakeDriver
from compute.worker.create import Create
from compute.worker.endpoints import HostOperations
from compute.worker.events import EventBook
from compute.worker.reports import Reporter
from compute.worker.runner import Runner
from tests.contract.rpc.rebuilt import Release, arguments_of
from tests.contract.rpc.recording import released
from tests.functional.standalone import wait_for
from tests.unit.conductor.making import USER, Controller

RELEASE = Release(list(released().values())[-1])
OLD = RELEASE.interfaces['conductor.reports']
BEGIN = RELEASE.interfaces['worker.operations'].methods()['begin']
Value = RELEASE.values


def over_json(value: Any) -> Any:
    return json.loads(json.dumps(encode(value)))


class OldWorker:
    """The worker of host a as the last release had it: what it says and reads has the types of the record."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._who = {'host': 'a', 'incarnation': controller.incarnations['a']}

    def say(self, method: str, **arguments: Any) -> Any:
        """Report something as the old worker would, and read the answer as it would."""
        known = Reports.methods()[method]
        assert arguments.keys() | self._who.keys() <= arguments_of(OLD, method).keys()
        answer = getattr(self._controller.reports, method)(
            USER, **known.decode_arguments(over_json({**self._who, **arguments})))
        return decode(OLD.methods()[method].hints['return'], over_json(answer))

    def told(self, kind: str) -> int:
        """Return which operation of a kind the last cast to this host was about, as the old worker reads it."""
        cast = [sent for sent in self._controller.rpc.begun(kind) if sent.server == 'a'][-1]
        arguments = BEGIN.decode_arguments(over_json(cast.arguments))
        assert arguments.keys() == arguments_of(RELEASE.interfaces['worker.operations'], 'begin').keys()
        return int(arguments['operation_id'])


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    made = Controller(f'{tmp_path}/compute.sqlite')
    made.add_host('a', 4096)
    yield made
    made.check()
    made.db.dispose()


def place(controller: Controller, worker: OldWorker) -> Any:
    """Ask for a server, let the conductor place it, and let the old worker begin it."""
    from compute.conductor.create import place
    place(controller.conductor, USER, controller.create().id)
    return worker.say('begin', operation_id=worker.told('create'))


def test_an_old_worker_builds_and_deletes(controller: Controller) -> None:
    worker = OldWorker(controller)
    work = place(controller, worker)
    number, uuid = work.operation.id, work.instance.uuid
    for stage in ('networking', 'block_device_mapping', 'spawning'):
        worker.say('progress', operation_id=number, stage=stage)
        assert controller.instance(uuid).task_state == stage
        assert worker.say('heartbeat', operations=(number,)) == ()
    worker.say('finish', operation_id=number, leg=1, update=Value['InstanceUpdate'](
        vm_state='active', power_state=1, launched=True, clear_fault=True))
    assert (controller.instance(uuid).vm_state, controller.operation(number).state) == ('active', 'done')
    from compute.conductor.delete import remove
    remove(controller.conductor, USER, controller.delete(uuid).id)
    number = worker.say('begin', operation_id=worker.told('delete')).operation.id
    worker.say('progress', operation_id=number, stage='deleting')
    worker.say('finish', operation_id=number, leg=0, update=Value['InstanceUpdate']())
    assert controller.instance(uuid).deleted


def test_an_old_worker_fails_and_registers_anew(controller: Controller) -> None:
    worker = OldWorker(controller)
    first, second = place(controller, worker), place(controller, worker)
    worker.say('fail', operation_id=first.operation.id, error=Value['OperationError'](
        code='disk_full', message='The disk is full', retryable=False, stage='spawning', status=500, details={}))
    assert controller.instance(first.instance.uuid).vm_state == 'error'
    old, controller.incarnations['a'] = worker, 'b' * 36
    held = decode(Value['Registration'], over_json(controller.register('a'))).held
    assert [(ref.operation_id, ref.kind) for ref in held] == [(second.operation.id, 'create')]
    with pytest.raises(exception.Superseded):
        old.say('heartbeat', operations=())
    OldWorker(controller).say('finish', operation_id=second.operation.id, leg=1,
                              update=Value['InstanceUpdate'](vm_state='active', launched=False, clear_fault=False))


class OldConductor:
    """A conductor of the last release, as far as one operation needs it: it stands for the bus and what is behind."""

    def __init__(self, work: Work) -> None:
        self.work, self.said, self.ended = work, list[str](), threading.Event()
        self.update: Any = None

    def client(self, interface: type[Interface], server: str | None = None) -> Any:
        """Return today's proxy of the reports; no other is asked for."""
        assert interface is Reports
        return type('Proxy', (), {name: self._sender(name) for name in interface.methods()})()

    def _sender(self, name: str) -> Any:
        def send(proxy: object, context: Any, **arguments: Any) -> Any:
            if name not in OLD.methods():
                raise exception.Unavailable(f'{name} is not known', code='rpc_version')
            data = over_json(Reports.methods()[name].encode_arguments(arguments))
            answer = getattr(self, name)(**OLD.methods()[name].decode_arguments(data))
            return Reports.methods()[name].decode_result(over_json(answer))
        return send

    def begin(self, host: str, incarnation: str, operation_id: int) -> Any:
        self.said.append('begin')
        return decode(Value['Work'], over_json({**encode(self.work), 'noted': 'networking'}))

    def heartbeat(self, host: str, incarnation: str, operations: tuple[int, ...],
                  problems: tuple[str, ...] = (), health: Any = None) -> tuple[int, ...]:
        return ()

    def progress(self, host: str, incarnation: str, operation_id: int, stage: str, update: Any = None,
                 stages: tuple[Any, ...] = ()) -> None:
        self.said += [each.name for each in stages] or [stage]

    def finish(self, host: str, incarnation: str, operation_id: int, leg: int, update: Any, carry: Any = None,
               stages: tuple[Any, ...] = (), undone: bool = False) -> None:
        assert (leg, undone) == (self.work.operation.leg, False)
        self.said += [*(each.name for each in stages), 'finish']
        self.update = update
        self.ended.set()


def test_a_new_worker_builds_under_an_old_conductor(tmp_path: Path, controller: Controller) -> None:
    controller.conf.set_override('state_dir', str(tmp_path / 'guests'), 'fake')
    flavor = Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64, root_gb=1)
    instance = Instance(id=7, uuid='10000000-0000-4000-8000-000000000001', project_id='p1', user_id='ann', name='vm',
                        flavor=flavor, host='a', config_drive=True)
    leased = now()
    work = Work(instance=instance, operation=Operation(
        id=5, request_id='req-1', kind='create', host='a', leg=1, instance_uuid=instance.uuid, args={'nics': []},
        updated_at=leased, lease_until=leased + datetime.timedelta(seconds=60)))
    conductor, driver = OldConductor(work), FakeDriver(controller.conf, 'a')
    driver.start(lambda event: None)
    create = Create(controller.conf, 'a', driver, FakeImages(), FakeNetworks(), EventBook())
    runner = Runner(Reporter(conductor, 'a', 'i' * 36), {'create': create}, 1, 1)  # type: ignore[arg-type]
    HostOperations(runner).begin(ctx.internal(), **Operations.methods()['begin'].decode_arguments(over_json(
        BEGIN.encode_arguments({'operation_id': 5, 'kind': 'create', 'instance_uuid': instance.uuid}))))
    assert conductor.ended.wait(20), conductor.said
    assert conductor.said == ['begin', 'block_device_mapping', 'spawning', 'finish'], 'the first stage goes with begin'
    assert (conductor.update.vm_state, conductor.update.launched) == ('active', True)
    wait_for(lambda: not runner.running(), 10, 'the end of the work')
    runner.stop()
