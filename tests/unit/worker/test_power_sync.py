"""Comparing guests with what the conductor knows, while operations come and go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from compute import context as ctx
from compute import exception, states
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.virt.driver import GuestInfo
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.runner import Runner
from tests.unit.worker.test_runner import Handler, Recorder, idle, work


class Conductor(Recorder):
    """Notes what was observed, and answers as the test says; ``meanwhile`` happens before its answer arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.wrong: tuple[str, ...] = ()
        self.known: list[Instance] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def observed(self, power_states: dict[str, int], after: dict[str, int]) -> tuple[str, ...]:
        self.said.append(('observed', power_states, after))
        self.meanwhile()
        return self.wrong

    def instances(self) -> list[Instance]:
        return self.known


class Driver:
    """Guests of the test's; ``looked`` happens after they were looked at."""

    def __init__(self) -> None:
        self.power = {'u': states.RUNNING}
        self.off: list[str] = []
        self.looked: Callable[[], None] = lambda: None

    def guest_info(self, uuid: str) -> GuestInfo:
        if uuid not in self.power:
            raise exception.NotFound(uuid)
        return GuestInfo(uuid=uuid, name=uuid, power_state=self.power[uuid], ours=True)

    def guests(self) -> list[GuestInfo]:
        found = [self.guest_info(uuid) for uuid in self.power]
        self.looked()
        return found

    def power_off(self, instance: Instance, timeout: float) -> None:
        self.off.append(instance.uuid)


@pytest.fixture
def conductor() -> Conductor:
    return Conductor()


@pytest.fixture
def driver() -> Driver:
    return Driver()


@pytest.fixture
def runner(conductor: Conductor) -> Runner:
    return Runner(conductor, {kind: Handler() for kind in ('create', 'start', 'delete')}, 4, 4)  # type: ignore[arg-type]


@pytest.fixture
def sync(conductor: Conductor, driver: Driver, runner: Runner) -> PowerSync:
    return PowerSync(conductor, driver, runner)  # type: ignore[arg-type]


def run(runner: Runner, number: int, kind: str = 'start') -> None:
    runner.submit(ctx.internal(), work(number, kind).operation.ref)
    idle(runner)


def server(vm_state: str, task_state: str | None = None) -> Instance:
    return Instance(uuid='u', project_id='p', user_id='x', name='n', vm_state=vm_state, task_state=task_state,
                    flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64))


def observed(conductor: Conductor) -> list[Any]:
    return [said[1:] for said in conductor.said if said[0] == 'observed']


def test_an_observation_says_after_which_operation_it_was_made(
        conductor: Conductor, runner: Runner, driver: Driver, sync: PowerSync) -> None:
    sync.run()
    run(runner, 3, 'create')
    sync.run()
    driver.looked = lambda: run(runner, 4)  # it ends between the look and the report
    sync.run()
    driver.looked = lambda: None
    sync.run()
    assert observed(conductor) == [({'u': 1}, {}), ({'u': 1}, {'u': 3}), ({'u': 1}, {'u': 3}), ({'u': 1}, {'u': 4})]
    run(runner, 5, 'delete')
    assert runner.newest() == {}


def test_a_guest_that_should_be_off_is_stopped(conductor: Conductor, driver: Driver, sync: PowerSync) -> None:
    conductor.wrong, conductor.known = ('u',), [server(states.STOPPED)]
    sync.run()
    assert driver.off == ['u']


@pytest.mark.parametrize('now', [server(states.ACTIVE), server(states.STOPPED, states.POWERING_ON)])
def test_one_that_was_asked_to_start_meanwhile_is_not(
        now: Instance, conductor: Conductor, driver: Driver, sync: PowerSync) -> None:
    conductor.wrong, conductor.known = ('u',), [server(states.STOPPED)]
    conductor.meanwhile = lambda: conductor.known.__setitem__(0, now)
    sync.run()
    assert driver.off == []


def test_one_that_cannot_be_mended_does_not_keep_it_from_the_others(conductor: Conductor, driver: Driver,
                                                                    sync: PowerSync) -> None:
    conductor.wrong, conductor.known = ('gone', 'u'), [server(states.STOPPED)]
    sync.run()
    assert driver.off == ['u']
