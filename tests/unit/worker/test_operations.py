"""Create, delete, recovery and power on one host, with failures at each stage: nothing is left, or it is told."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import exception
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.objects.events import ExternalEvent
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.nic import NicRequest
from compute.objects.operation import InstanceUpdate, Operation, OperationError, Work
from compute.objects.registration import Registration
from compute.objects.value import encode
from compute.virt.fake.driver import FakeDriver
from compute.worker.create import Create
from compute.worker.delete import Delete
from compute.worker.events import EventBook
from compute.worker.moved_files import MovedFiles
from compute.worker.nics import Nics
from compute.worker.reboot import Reboot
from compute.worker.recovery import Recovery
from compute.worker.runner import Runner
from compute.worker.start import Start
from compute.worker.stop import Stop
from compute.worker.transfer.source import Transfers
from tests.waiting import wait_until

UUID = '10000000-0000-4000-8000-000000000001'


class Conductor:
    """Stands for the reporter: notes reports; ``stale`` refuses, ``at`` runs something at a stage."""

    host = 'h1'

    def __init__(self) -> None:
        self.works: dict[int, Work] = {}
        self.stages: list[str] = []
        self.ended: list[tuple[str, Any]] = []
        self.stale = False
        self.at: dict[str, Callable[[], None]] = {}

    def begin(self, context: Any, operation_id: int) -> Work:
        return self.works[operation_id]

    def progress(self, context: Any, operation_id: int, stage: str, update: Any, stages: Any, *,
                 once: bool = False) -> None:
        self.stages.append(stage)
        self.at.get(stage, lambda: None)()
        self._check()

    def finish(self, context: Any, operation_id: int, leg: int, update: InstanceUpdate, carry: Any,
               stages: Any, *, undone: bool = False) -> None:
        self._check()
        self.ended.append(('finish', update))

    def fail(self, context: Any, operation_id: int, error: OperationError, update: InstanceUpdate | None,
             stages: Any) -> None:
        self.ended.append(('fail', (error, update)))

    def holds(self, operation_id: int) -> bool:
        return not self.stale

    def _check(self) -> None:
        if self.stale:
            raise exception.Stale('cancelled')


class Host:
    """A worker's parts, with everything around it in memory."""

    def __init__(self) -> None:
        self.conf = options.register(cfg.ConfigOpts())
        self.conf([], project='compute', default_config_files=[], default_config_dirs=[])
        self.conf.set_override('vif_plug_timeout', 1, 'worker')
        self.conf.set_override('patience', 0, 'worker')
        self.conf.set_override('download_images', True, 'fake')
        self.driver = FakeDriver(self.conf, 'h1')
        self.book, self.images = EventBook(), FakeImages()
        self.networks = FakeNetworks(on_wired=self.wired)
        self.network = self.networks.add_network(project_id='p1', name='net1')
        self.image = self.images.add(data=b'x' * 100)
        self.conductor = Conductor()
        nics = self.nics = Nics(self.conf, 'h1', self.networks, self.book)
        self.runner = Runner(self.conductor, {  # type: ignore[arg-type]
            'create': Create(self.conf, 'h1', self.driver, self.images, self.networks, self.book),
            'delete': Delete(self.driver, self.networks, MovedFiles(self.conf, self.driver, Transfers(self.conf))),
            'start': Start(self.conf, self.driver, nics),
            'stop': Stop(self.conf, self.driver), 'reboot': Reboot(self.conf, self.driver, nics),
            'reboot_hard': Reboot(self.conf, self.driver, nics)}, 2, 2)
        self.driver.start(lambda event: None)

    def wired(self, port_id: str, device_id: str) -> None:
        self.book.note(ExternalEvent(instance_uuid=device_id, name='network-vif-plugged', tag=port_id))

    def instance(self, **values: Any) -> Instance:
        flavor = Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64, root_gb=1)
        return Instance(**{'id': 7, 'uuid': UUID, 'project_id': 'p1', 'user_id': 'ann', 'name': 'vm', 'flavor': flavor,
                           'host': 'h1', 'image': self.image, 'config_drive': True, **values})

    def work(self, kind: str, instance: Instance | None = None, nics: tuple[NicRequest, ...] | None = None,
             **values: Any) -> Work:
        asked = nics if nics is not None else (NicRequest(network_id=self.network), NicRequest(network_id=self.network))
        operation = Operation(**{'id': len(self.conductor.works) + 1, 'request_id': 'req-1', 'kind': kind,
                                 'leg': int(kind == 'create'),
                                 'instance_uuid': UUID, 'args': {'nics': encode(asked)}, **values})
        work = Work(operation=operation, instance=instance or self.instance())
        self.conductor.works[operation.id] = work
        return work

    def run(self, work: Work, **more: Any) -> tuple[str, Any] | None:
        """Run an operation to its end and return how it ended; None when it was left without a word."""
        before = len(self.conductor.ended)
        self.runner.submit(ctx.internal(), work.operation.ref, **more)
        wait_until(lambda: not self.runner.running(), 'the end of the operation')
        return self.conductor.ended[-1] if len(self.conductor.ended) > before else None

    @property
    def clean(self) -> bool:
        """Whether no guest is here and no port is a server's."""
        return not self.driver.guests() and not any(port.device_id for port in self.networks.ports)


@pytest.fixture
def host() -> Host:
    return Host()


def test_create(host: Host) -> None:
    mine = host.networks.add_port(host.network, project_id='p1')
    ended = host.run(host.work('create', nics=(NicRequest(port_id=mine, tag='front'),
                                               NicRequest(network_id=host.network, fixed_ip='10.0.0.77'))))
    assert ended is not None and ended[0] == 'finish'
    update: InstanceUpdate = ended[1]
    assert (update.vm_state, update.power_state, update.launched) == ('active', 1, True)
    assert host.conductor.stages == ['networking', 'block_device_mapping', 'spawning']
    first, second = update.nics or ()
    assert (first.port_id, first.tag, first.owned, first.active) == (mine, 'front', False, True)
    assert (second.fixed_ips[0].address, second.owned) == ('10.0.0.77', True)
    assert [guest.uuid for guest in host.driver.guests()] == [UUID]
    assert {port.host for port in host.networks.ports} == {'h1'}


def test_delete_gives_back_what_the_user_brought(host: Host) -> None:
    mine = host.networks.add_port(host.network, project_id='p1')
    ended = host.run(host.work('create', nics=(NicRequest(port_id=mine), NicRequest(network_id=host.network))))
    assert ended is not None
    instance = host.instance(nics=ended[1].nics)
    for _ in range(2):
        ended = host.run(host.work('delete', instance, nics=()))
        assert ended is not None and ended[0] == 'finish'
        assert host.clean and [port.id for port in host.networks.ports] == [mine]


def break_port_quota(host: Host) -> None:
    host.networks.port_quota = 1


def break_binding(host: Host) -> None:
    host.networks.broken_hosts.add('h1')


def break_image(host: Host) -> None:
    host.images.remove(host.image.id)


def lie_about_image(host: Host) -> None:
    lying = dataclasses.replace(host.image, os_hash_value='0' * 128, checksum='0' * 32)
    host.images._images[host.image.id] = (lying, b'other', True)
    host.image = lying


def break_prepare(host: Host) -> None:
    host.driver.fail_next('prepare', exception.Retry('no room', code='disk_full'))


def break_spawn(host: Host) -> None:
    host.driver.fail_next('spawn', exception.Retry('no memory', code='no_memory'))


def break_spawn_oddly(host: Host) -> None:
    host.driver.fail_next('spawn', ValueError('surprise'))


def break_after_spawn(host: Host) -> None:
    host.driver.fail_next('guest_info', exception.Failed('it vanished'))


@pytest.mark.parametrize(('breaks', 'stage', 'retryable'), [
    (break_port_quota, 'networking', False), (break_binding, 'networking', True),
    (break_image, 'block_device_mapping', None), (lie_about_image, 'block_device_mapping', None),
    (break_prepare, 'block_device_mapping', True), (break_spawn, 'spawning', True),
    (break_spawn_oddly, 'spawning', True), (break_after_spawn, 'spawning', False)])
def test_a_failure_leaves_nothing(host: Host, breaks: Callable[[Host], None], stage: str,
                                  retryable: bool | None) -> None:
    breaks(host)
    mine = host.networks.add_port(host.network, project_id='p1') if breaks is not break_port_quota else None
    nics = [NicRequest(network_id=host.network), NicRequest(port_id=mine) if mine else NicRequest(
        network_id=host.network)]
    ended = host.run(host.work('create', nics=tuple(nics)))
    assert ended is not None and ended[0] == 'fail'
    error, update = ended[1]
    assert error.stage == stage and error.message and 'surprise' not in error.message
    assert retryable is None or error.retryable is retryable
    assert update == InstanceUpdate(nics=())
    assert host.clean and [port.id for port in host.networks.ports] == ([mine] if mine else [])


def test_an_agent_that_is_heard_late_is_waited_for(host: Host) -> None:
    """After an outage of the broker an agent looks dead until its next beat."""
    host.conf.set_override('patience', 20, 'worker')
    host.networks.broken_hosts.add('h1')
    create, refused = host.networks.create_port, []

    def heard_late(*args: Any, **options: Any) -> Any:
        try:
            return create(*args, **options)
        except exception.Retry as error:
            refused.append(error.code)
            host.networks.broken_hosts.clear()
            raise
    host.networks.create_port = heard_late  # type: ignore[method-assign]
    ended = host.run(host.work('create', nics=(NicRequest(network_id=host.network),)))
    assert ended is not None and ended[0] == 'finish' and refused == ['port_binding_failed']
    assert len(host.networks.ports) == 1


@pytest.mark.parametrize('late', ['before it is asked again', 'afterwards'])
def test_a_port_whose_answer_nobody_waited_for_does_not_stay(host: Host, late: str) -> None:
    """A slow network daemon goes on with a request that the worker gave up, and the worker asks once more."""
    host.runner = Runner(host.conductor, {'create': Create(  # type: ignore[arg-type]
        host.conf, 'h1', host.driver, host.images, host.networks, host.book)}, 2, 2, patience=20)
    create, given_up = host.networks.create_port, []

    def slow(*args: Any, **options: Any) -> Any:
        if len(given_up) < 2:
            given_up.append((args, options))
            if late != 'afterwards':
                create(*args, **options)
            raise exception.Unavailable('The network service does not answer', code='network_unavailable')
        nic = create(*args, **options)
        while late == 'afterwards' and given_up[-1]:
            create(*given_up[0][0], **given_up[0][1])
            given_up.append(())
        return nic
    host.networks.create_port = slow  # type: ignore[method-assign]
    mine = host.networks.add_port(host.network, project_id='p1')
    ended = host.run(host.work('create', nics=(NicRequest(port_id=mine), NicRequest(network_id=host.network))))
    assert ended is not None and ended[0] == 'finish'
    assert {port.id for port in host.networks.ports} == {nic.port_id for nic in ended[1].nics}
    assert len(ended[1].nics) == 2 and mine in {nic.port_id for nic in ended[1].nics}


def test_a_port_that_nobody_wires(host: Host) -> None:
    host.networks._on_wired = None
    bind = host.networks._bind

    def unwired(port: dict[str, Any], name: str) -> bool:
        bound = bind(port, name)
        port['status'] = 'DOWN'
        return bound
    host.networks._bind = unwired  # type: ignore[method-assign]
    ended = host.run(host.work('create'))
    assert ended is not None and ended[1][0].code == 'vif_plug_timeout' and ended[1][0].retryable
    assert host.clean and host.networks.ports == []


@pytest.mark.parametrize('stage', ['networking', 'block_device_mapping', 'spawning'])
def test_cancelled_at_a_stage_it_ends_without_a_word(host: Host, stage: str) -> None:
    host.conductor.at[stage] = lambda: setattr(host.conductor, 'stale', True)
    assert host.run(host.work('create')) is None
    assert host.clean and host.networks.ports == []


def test_cancelled_while_it_spawns(host: Host) -> None:
    spawn = host.driver.spawn

    def overtaken(guest: Any) -> None:
        spawn(guest)
        host.conductor.stale = True
    host.driver.spawn = overtaken  # type: ignore[method-assign]
    assert host.run(host.work('create')) is None
    assert host.clean and host.networks.ports == []


def test_what_was_lost_to_another_host_keeps_its_ports_there(host: Host) -> None:
    def elsewhere() -> None:
        host.networks.create_port(None, host.network, project_id='p1', device_id=UUID, host='h2')
        host.conductor.stale = True
    host.conductor.at['spawning'] = elsewhere
    assert host.run(host.work('create')) is None
    assert [port.host for port in host.networks.ports] == ['h2'] and host.driver.guests() == []


@pytest.mark.parametrize('stage', ['networking', 'block_device_mapping', 'spawning'])
def test_a_creation_that_was_cut_off_is_done_by_the_next_worker(host: Host, stage: str) -> None:
    host.run(host.work('create'))
    left = host.work('create', stage=stage, state='running')
    recover(host, held=(left.operation.ref,), instances=(left.instance,))
    wait_until(lambda: not host.runner.running(), 'the end of the operation')
    assert [kind for kind, _ in host.conductor.ended] == ['finish', 'finish']
    assert len(host.driver.guests()) == 1 and len(host.networks.ports) == 2


class Silent:
    """Stands for the comparison of power states."""

    def run(self) -> None:
        """Do nothing."""

    def look(self, uuid: str) -> None:
        """Do nothing."""


def recover(host: Host, power_sync: Any = None, **values: Any) -> None:
    recovery = Recovery(host.conf, host.driver, host.nics, host.runner, power_sync or Silent())
    registration = Registration(service_uuid='s', **values)
    recovery.take_over(registration)
    recovery.run(registration)


def test_recovery_leaves_strangers(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    host.run(host.work('create'))
    recover(host)
    assert len(host.driver.guests()) == 1 and 'not in the ledger' in caplog.text


@pytest.mark.parametrize('error', [exception.RpcTimeout('no conductor'), exception.Failed('it cannot be killed')])
def test_what_cannot_be_compared_at_a_start_does_not_end_the_worker(host: Host, error: Exception,
                                                                    caplog: pytest.LogCaptureFixture) -> None:
    def run() -> None:
        raise error
    recover(host, SimpleNamespace(run=run, look=print))
    assert 'the next comparison tries again' in caplog.text


def test_power(host: Host) -> None:
    host.run(host.work('create'))
    for kind, power in (('stop', 4), ('stop', 4), ('start', 1), ('reboot', 1), ('reboot_hard', 1)):
        ended = host.run(host.work(kind, args={}))
        assert ended is not None and ended[0] == 'finish', ended
        assert ended[1].power_state == power == host.driver.guest_info(UUID).power_state
    assert host.conductor.stages[-4:] == ['rebooting', 'reboot_started', 'rebooting_hard', 'reboot_started_hard']


def test_a_guest_that_does_not_listen_is_rebooted_hard(host: Host) -> None:
    host.run(host.work('create'))
    host.conf.set_override('shutdown_timeout', 0, 'worker')
    host.driver.ignore_shutdown(UUID)
    ended = host.run(host.work('reboot', args={}))
    assert ended is not None and ended[0] == 'finish' and host.conductor.stages[-1] == 'reboot_started_hard'


def test_a_soft_reboot_that_comes_again_is_done_hard(host: Host) -> None:
    """Its first stage is noted with the lease: whoever began it may have come further than that."""
    host.run(host.work('create'))
    ended = host.run(host.work('reboot', stage='rebooting', args={}))
    assert ended is not None and ended[0] == 'finish' and host.conductor.stages[-1] == 'reboot_started_hard'


def test_after_a_failure_the_host_says_how_the_guest_is(host: Host) -> None:
    host.run(host.work('create'))
    host.driver.fail_next('power_off', exception.Failed('stuck'))
    ended = host.run(host.work('stop'))
    assert ended is not None and ended[0] == 'fail'
    assert ended[1][1] == InstanceUpdate(vm_state='active', power_state=1)


@pytest.mark.parametrize(('waits', 'then'), [('stop', 'delete'), ('reboot', 'delete'), ('reboot', 'reboot_hard')])
def test_a_guest_that_does_not_shut_down_holds_nothing_up(host: Host, waits: str, then: str) -> None:
    """The wait for a guest, of up to 480 s, is over when a delete or a hard reboot comes."""
    host.run(host.work('create'))
    host.driver.ignore_shutdown(UUID)
    host.conf.set_override('shutdown_timeout', 300, 'worker')
    waiting = threading.Event()
    host.conductor.at = dict.fromkeys(('powering_off', 'reboot_started'), waiting.set)
    host.runner.submit(ctx.internal(), host.work(waits, args={}).operation.ref)
    assert waiting.wait(120)
    ended = host.run(host.work(then, nics=()))
    assert ended is not None and ended[0] == 'finish'
    assert len(host.driver.guests()) == (then == 'reboot_hard')
