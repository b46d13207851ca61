"""A worker starts while another process of its host still lives: paused, hung, or started twice."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from compute import concurrency
from compute.clients.fake.image import FakeImages
from compute.conductor import create
from compute.conductor.audit.auditor import Auditor
from compute.conductor.audit.look import Look
from compute.objects.events import ExternalEvent
from compute.objects.operation import Operation
from compute.objects.registration import HostReport
from compute.rpc.conductor import Reports
from compute.virt.driver import GuestEvent
from compute.virt.fake.driver import FakeDriver
from compute.worker import host_lock
from compute.worker import takeover as module
from compute.worker.host import HostWorker
from compute.worker.host_lock import HostLock
from compute.worker.node import node_uuid
from compute.worker.takeover import MARGIN, Takeover
from tests.clock import Clock
from tests.unit.conductor.making import LONG_AGO, USER, Controller
from tests.waiting import LONG, deadline, wait_until

HOST = 'a'


class Site:
    """A conductor on SQLite and the processes of one host, over one hypervisor and one network."""

    def __init__(self, path: str) -> None:
        self.controller = Controller(f'{path}/compute.sqlite')
        conf = self.conf = self.controller.conf
        conf.set_override('state_path', f'{path}/worker', 'worker')
        conf.set_override('vif_plug_timeout', LONG, 'worker')
        self.networks, self.driver = self.controller.networks, FakeDriver(conf, HOST)
        self.networks._on_wired = self._wired
        self.workers: list[HostWorker] = []

    def client(self, interface: Any, server: str | None = None) -> Any:
        """Stand for ``Rpc.client``."""
        assert interface is Reports
        return self.controller.reports

    def worker(self) -> HostWorker:
        """Return another process that acts as the host; it is not started."""
        made = HostWorker(self.conf, self, HOST, self.driver, FakeImages(), self.networks, lambda: None)  # type: ignore[arg-type]
        self.workers.append(made)
        return made

    def create(self, worker: HostWorker) -> Operation:
        """Ask for a server, and let the message come to a worker."""
        operation = self.controller.create(host=HOST)
        self.controller.conductor.submit(create.place, USER, operation.id)
        worker.runner.submit(USER, self.controller.operation(operation.id).ref)
        return operation

    def state(self, operation: Operation) -> str:
        """Return the state of an operation now."""
        return self.controller.operation(operation.id).state

    def _wired(self, port_id: str, device_id: str) -> None:
        for worker in self.workers:
            worker.events.note(ExternalEvent(instance_uuid=device_id, name='network-vif-plugged', tag=port_id))


class Pause:
    """Stops whoever comes first right before its port is made: all that it asks before was asked."""

    def __init__(self, networks: Any) -> None:
        self._create, self.reached, self.over = networks.create_port, threading.Event(), threading.Event()
        networks.create_port = self._make

    def _make(self, *args: Any, **more: Any) -> Any:
        if not self.reached.is_set():
            self.reached.set()
            assert self.over.wait(LONG)
        return self._create(*args, **more)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the clock of the module: no trust ends by itself."""
    made = Clock()
    monkeypatch.setattr(module, 'time', made)
    return made


@pytest.fixture
def site(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Site]:
    monkeypatch.setattr(HostWorker, '_probes', lambda self, rpc: iter(()))
    made = Site(str(tmp_path))
    yield made
    for worker in made.workers:
        worker.stop()
        worker.lock.release()
    made.controller.db.dispose()


def test_what_a_process_makes_when_it_wakes_is_found_by_its_successor(site: Site) -> None:
    old = site.worker()
    old.start()
    pause = Pause(site.networks)
    operation = site.create(old)
    assert pause.reached.wait(LONG)
    new = site.worker()
    starts = concurrency.spawn(new.start)
    wait_until(lambda: new.runner.running() == (operation.id,), 'the registration of the successor')
    pause.over.set()
    wait_until(lambda: not old.runner.running(), 'the refusal of the process that was replaced')
    old.lock.release()  # it ends
    starts.join(LONG)
    wait_until(lambda: site.state(operation) == 'done', 'the end of the operation')
    server = site.controller.instance(operation.instance_uuid)
    assert [port.id for port in site.networks.ports] == [nic.port_id for nic in server.nics]


def test_a_successor_goes_on_when_the_other_process_can_no_longer_act(site: Site, clock: Clock,
                                                                      caplog: pytest.LogCaptureFixture,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    site.conf.set_override('lease', 12.0, 'conductor')
    old = site.worker()
    old.start()
    pause = Pause(site.networks)
    operation = site.create(old)
    assert pause.reached.wait(LONG)
    new = site.worker()
    starts = concurrency.spawn(new.start)
    wait_until(lambda: new.runner.running() == (operation.id,), 'the registration of the successor')
    assert new.health() == ['a: it waits for another process that acts as this host']
    looked: list[str] = []
    monkeypatch.setattr(new.power_sync, 'look', looked.append)
    stopped = GuestEvent(uuid=operation.instance_uuid, kind='stopped', power_state=4)
    new._on_event(stopped)
    assert not looked
    clock.advance(4 + MARGIN)
    starts.join(LONG)
    wait_until(lambda: site.state(operation) == 'done', 'the end of the operation')
    new._on_event(stopped)
    assert looked[-1:] == [stopped.uuid] and new.health() == [] and 'still lives and was replaced' in caplog.text
    pause.over.set()  # a call that was begun before, and ends after all that
    wait_until(lambda: not old.runner.running(), 'the refusal of the process that was replaced')
    server = site.controller.instance(operation.instance_uuid)
    left = {port.id for port in site.networks.ports} - {nic.port_id for nic in server.nics}
    report = Auditor(Look(site.conf, site.controller.db, site.networks)).run(0, site.conf.conductor.audit_fix)
    assert {finding.about['port'] for finding in report.findings} == left != set()
    assert [port.id for port in site.networks.ports] == [nic.port_id for nic in server.nics]


def test_what_is_taken_over_is_leased_and_held_while_the_successor_waits(site: Site, clock: Clock) -> None:
    old = site.worker()
    old.start()
    pause = Pause(site.networks)
    operation = site.create(old)
    assert pause.reached.wait(LONG)
    new = site.worker()
    starts = concurrency.spawn(new.start)
    wait_until(lambda: new.runner.running() == (operation.id,), 'the registration of the successor')
    later = site.create(new)
    site.controller.overdue(operation.id)
    new._beat()
    row = site.controller.operation(operation.id)
    assert row.incarnation == new.incarnation and row.lease_until is not None and row.lease_until > LONG_AGO
    assert site.controller.operation(later.id).owner is None
    pause.over.set()
    wait_until(lambda: not old.runner.running(), 'the refusal of the process that was replaced')
    old.lock.release()
    starts.join(LONG)
    wait_until(lambda: (site.state(operation), site.state(later)) == ('done', 'done'), 'the end of both')


def test_a_successor_that_is_told_to_stop_while_it_waits_begins_nothing(site: Site) -> None:
    old = site.worker()
    old.start()
    pause = Pause(site.networks)
    operation = site.create(old)
    assert pause.reached.wait(LONG)
    new = site.worker()
    starts = concurrency.spawn(new.start)
    wait_until(lambda: new.runner.running() == (operation.id,), 'the registration of the successor')
    new.finish(deadline())
    new.stop()
    starts.join(LONG)
    wait_until(lambda: not new.runner.running(), 'the end of what was held')
    assert site.state(operation) == 'running' and not site.networks.ports
    pause.over.set()


def test_a_process_that_was_replaced_ends_what_runs_at_its_next_step(site: Site) -> None:
    old = site.worker()
    old.start()
    pause = Pause(site.networks)
    operation = site.create(old)
    assert pause.reached.wait(LONG)
    site.controller.incarnations[HOST] = 'another'
    report = HostReport(host=HOST, incarnation='another', node_uuid=node_uuid(site.conf.worker.state_path, HOST))
    site.controller.reports.register(USER, report=report, inventory=site.driver.inventory())
    old._beat()
    pause.over.set()
    old.finish(deadline())
    assert old.runner.running() == () and site.driver.guests() == []
    assert site.state(operation) == 'running' and len(site.networks.ports) == 1  # which its successor will use


# -- the wait by itself --


class Waiting:
    """A takeover on a clock that its own waiting advances. ``at``: what happens after so many seconds."""

    def __init__(self, path: str, clock: Clock) -> None:
        self.clock, self.begun, self.waited = clock, clock.now, 0.0
        self.path, self.stops = path, False
        self.at: tuple[float, Callable[[], Any]] = float('inf'), int
        self.takeover = Takeover(HostLock(path, HOST), HOST, self._wait)

    def _wait(self, seconds: float) -> bool:
        self.clock.advance(seconds)
        self.waited = self.clock.now - self.begun
        if self.waited >= self.at[0]:
            self.at[1]()
        return self.stops

    def stop(self) -> None:
        self.stops = True


@pytest.fixture
def waiting(tmp_path: Any, clock: Clock) -> Waiting:
    return Waiting(str(tmp_path), clock)


@pytest.fixture
def other(waiting: Waiting) -> Iterator[HostLock]:
    """Give the lock of another process."""
    lock = HostLock(waiting.path, HOST)
    assert lock.take()
    yield lock
    lock.release()


def test_after_a_process_that_is_dead_nothing_is_waited_for(waiting: Waiting) -> None:
    assert not waiting.takeover.begin() and not waiting.takeover.waits
    waiting.takeover.registered(30.0)
    waiting.takeover.wait()
    assert (waiting.waited, waiting.takeover.problem) == (0.0, '')
    assert not HostLock(waiting.path, HOST).take()


def test_the_trust_of_a_process_that_lives_is_waited_for(waiting: Waiting, other: HostLock,
                                                         caplog: pytest.LogCaptureFixture) -> None:
    assert waiting.takeover.begin() and waiting.takeover.waits
    assert f'process {os.getpid()} acts as this host too' in caplog.text
    waiting.clock.advance(5)  # until a conductor answers
    waiting.begun = waiting.clock.now
    waiting.takeover.registered(60.0)
    waiting.takeover.wait()
    assert waiting.waited == pytest.approx(20 + MARGIN) and not waiting.takeover.waits
    assert str(os.getpid()) in waiting.takeover.problem
    other.release()
    assert waiting.takeover.look() and waiting.takeover.problem == ''
    assert not other.take()  # which our own successor will find


def test_the_end_of_the_other_process_ends_the_wait(waiting: Waiting, other: HostLock) -> None:
    waiting.takeover.begin()
    waiting.takeover.registered(30.0)
    waiting.at = 1.0, other.release
    waiting.takeover.wait()
    assert waiting.waited < 2.0 and waiting.takeover.problem == '' and not other.take()


def test_a_stop_ends_the_wait(waiting: Waiting, other: HostLock) -> None:
    waiting.takeover.begin()
    waiting.takeover.registered(30.0)
    waiting.at = 1.0, waiting.stop
    waiting.takeover.wait()
    assert waiting.waited < 2.0 and waiting.takeover.waits


def test_where_nothing_can_be_locked_it_is_said_once_and_nothing_is_waited_for(
        waiting: Waiting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def flock(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    monkeypatch.setattr(host_lock, 'fcntl', SimpleNamespace(flock=flock, LOCK_EX=2, LOCK_NB=4))
    assert not waiting.takeover.begin()
    waiting.takeover.registered(30.0)
    waiting.takeover.wait()
    waiting.takeover.look()
    assert (waiting.waited, caplog.text.count('cannot be locked')) == (0.0, 1)
