"""After a host has booted: guests that should run are started, however late what they need comes up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compute import concurrency, exception, states
from compute import context as ctx
from compute.objects.registration import Registration
from compute.worker import resume_guests as resume
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.recovery import Recovery
from tests.unit.worker.test_operations import UUID, Host
from tests.waiting import wait_until


class Observing:
    """What the conductor was told of guests."""

    def __init__(self) -> None:
        self.told: list[dict[str, int]] = []

    def observed(self, power_states: dict[str, int], after: dict[str, int]) -> tuple[str, ...]:
        self.told.append(power_states)
        return ()


@pytest.fixture
def told() -> Observing:
    return Observing()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host that has booted: the guest of a server that should run is off."""
    monkeypatch.setattr(resume, '_PAUSE', 0.02)
    host = Host()
    host.run(host.work('create'))
    host.driver.stop_outside(UUID)
    host.conf.set_override('vif_plug_timeout', 60, 'worker')
    return host


@pytest.fixture
def sync(host: Host, told: Observing) -> PowerSync:
    return PowerSync(told, host.driver, host.runner)  # type: ignore[arg-type]


def recover(host: Host, sync: PowerSync, vm_state: str = states.ACTIVE) -> Recovery:
    recovery = Recovery(host.conf, host.driver, host.nics, host.runner, sync)
    recovery.run(Registration(service_uuid='s', instances=(host.instance(vm_state=vm_state),)))
    return recovery


def eventually(condition: Callable[[], Any]) -> None:
    wait_until(condition, 'what the test waits for')


def power(host: Host) -> int:
    return host.driver.guest_info(UUID).power_state


@pytest.mark.parametrize(('vm_state', 'wanted', 'after'), [
    (states.ACTIVE, True, states.RUNNING), (states.ACTIVE, False, states.SHUTDOWN),
    (states.STOPPED, True, states.SHUTDOWN)])
def test_what_should_run_is_started(host: Host, sync: PowerSync, vm_state: str, wanted: bool, after: int) -> None:
    host.conf.set_override('resume_guests', wanted, 'worker')
    recover(host, sync, vm_state)
    eventually(lambda: not host.runner.busy(UUID))
    assert power(host) == after


class Refusals:
    """``power_on`` raises ``error`` until ``over``."""

    def __init__(self, host: Host, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
        self.tries, self.over, self._error, self._real = 0, False, error, host.driver.power_on
        monkeypatch.setattr(host.driver, 'power_on', self)

    def __call__(self, guest: Any) -> None:
        self.tries += 1
        if not self.over:
            raise self._error
        self._real(guest)


@pytest.mark.parametrize('error', [exception.Retry('no tap yet', code='vif_missing'),
                                   exception.Unavailable('libvirtd starts')])
def test_a_guest_is_started_when_its_tap_or_the_hypervisor_comes(
        host: Host, sync: PowerSync, told: Observing, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    refusals = Refusals(host, monkeypatch, error)
    recover(host, sync)
    eventually(lambda: refusals.tries > 2)
    sync.run()
    assert not any(UUID in each for each in told.told), 'it was told to be off, and would stay so'
    refusals.over = True
    eventually(lambda: not host.runner.busy(UUID))
    assert power(host) == states.RUNNING
    sync.run()
    assert told.told[-1] == {UUID: states.RUNNING}


def test_what_was_seen_before_it_was_started_is_not_told(
        host: Host, sync: PowerSync, told: Observing, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison looks at many guests: what it saw first may be old when it tells."""
    refusals = Refusals(host, monkeypatch, exception.Retry('no tap yet', code='vif_missing'))
    recover(host, sync)
    seen = host.driver.guests()

    def guests() -> Any:
        refusals.over = True
        eventually(lambda: not host.runner.busy(UUID))
        return seen
    monkeypatch.setattr(host.driver, 'guests', guests)
    sync.run()
    assert power(host) == states.RUNNING
    eventually(lambda: told.told == [{UUID: states.RUNNING}])


def test_one_whose_tap_does_not_come_is_told_to_be_off(
        host: Host, sync: PowerSync, told: Observing, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    host.conf.set_override('vif_plug_timeout', 1, 'worker')
    Refusals(host, monkeypatch, exception.Retry('no tap at all', code='vif_missing'))
    recover(host, sync)
    eventually(lambda: not host.runner.busy(UUID))
    assert 'cannot be started: no tap at all' in caplog.text
    eventually(lambda: told.told == [{UUID: states.SHUTDOWN}])


def test_a_hypervisor_that_cannot_be_asked_yet(
        host: Host, sync: PowerSync, told: Observing, monkeypatch: pytest.MonkeyPatch) -> None:
    real, asked = host.driver.guests, []

    def guests() -> Any:
        asked.append(True)
        if len(asked) == 1:
            raise exception.Unavailable('libvirtd starts')
        return real()
    monkeypatch.setattr(host.driver, 'guests', guests)
    recover(host, sync)
    eventually(lambda: power(host) == states.RUNNING)
    eventually(lambda: not host.runner.busy(UUID))


def test_an_operation_takes_it_over(
        host: Host, sync: PowerSync, told: Observing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner stops it before its tap is there: it stays off."""
    refusals = Refusals(host, monkeypatch, exception.Retry('no tap yet', code='vif_missing'))
    recover(host, sync)
    eventually(lambda: refusals.tries > 0)
    ended = host.run(host.work('stop'))
    assert ended is not None and ended[1].vm_state == states.STOPPED
    refusals.over = True
    tries = refusals.tries
    eventually(lambda: told.told)  # it is looked at when the last attempt has seen that nothing is left to do
    assert told.told == [{UUID: states.SHUTDOWN}] and power(host) == states.SHUTDOWN
    assert refusals.tries == tries and not host.runner.busy(UUID)


def test_a_stop_ends_it(host: Host, sync: PowerSync, told: Observing, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn, threads = concurrency.spawn, list[Any]()
    monkeypatch.setattr(concurrency, 'spawn', lambda *args, **more: threads.append(spawn(*args, **more)))
    refusals = Refusals(host, monkeypatch, exception.Retry('no tap yet', code='vif_missing'))
    recovery = recover(host, sync)
    eventually(lambda: refusals.tries > 0)
    recovery.stop()
    resuming, = threads
    resuming.join(60)
    assert not resuming.is_alive()
    assert host.runner.busy(UUID) and told.told == [], 'the next worker starts it, nobody says it is off'


def test_a_stop_before_the_first_attempt(host: Host, sync: PowerSync, told: Observing,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    recovery = Recovery(host.conf, host.driver, host.nics, host.runner, sync)
    monkeypatch.setattr(concurrency, 'spawn', lambda function, *args, **more: (recovery.stop(), function(*args)))
    recovery.run(Registration(service_uuid='s', instances=(host.instance(vm_state=states.ACTIVE),)))
    assert power(host) == states.SHUTDOWN and host.runner.busy(UUID) and told.told == []


def test_a_worker_that_stops_tells_of_no_guest_that_goes_off(host: Host, sync: PowerSync, told: Observing) -> None:
    host.run(host.work('start'))
    sync.stop()
    host.driver.stop_outside(UUID)
    sync.run()
    assert told.told == []


def test_what_comes_while_it_waits_is_not_held_up(host: Host, sync: PowerSync, monkeypatch: pytest.MonkeyPatch) -> None:
    Refusals(host, monkeypatch, exception.Retry('no tap yet', code='vif_missing'))
    recover(host, sync)
    host.runner.submit(ctx.internal(), host.work('delete', args={'nics': []}).operation.ref)
    eventually(lambda: not host.driver.guests())
    eventually(lambda: not host.runner.busy(UUID))
