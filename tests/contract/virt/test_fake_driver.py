"""The fake against the contract, and the hooks that only it has."""

from __future__ import annotations

import operator
import pathlib
import threading
from collections.abc import Iterator

import pytest

from compute import exception, states
from compute.virt.driver import GuestEvent
from compute.virt.fake.driver import FakeDriver
from tests.contract.virt.bed import Bed
from tests.contract.virt.contract import DriverContract
from tests.contract.virt.making import Source, make_conf, make_guest


def make_driver(**options: object) -> FakeDriver:
    return FakeDriver(make_conf(fake={'download_images': True, **options}), 'host-1')


@pytest.fixture(params=['memory', 'files'])
def driver(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> FakeDriver:
    return make_driver(state_dir=str(tmp_path) if request.param == 'files' else '')


@pytest.fixture
def bed(driver: FakeDriver) -> Iterator[Bed]:
    events: list[GuestEvent] = []
    driver.start(events.append)
    bed = Bed(driver, events, bytes(65536), driver.stop_outside)
    yield bed
    bed.close()
    driver.stop()


class TestFakeDriver(DriverContract):
    """The whole contract."""


def test_a_failure_on_demand_happens_once(bed: Bed, driver: FakeDriver) -> None:
    guest = bed.guest()
    driver.fail_next('spawn', exception.Retry('no room', code='disk_full'))
    with pytest.raises(exception.Retry, match='no room'):
        driver.spawn(guest)
    assert driver.guests() == []
    driver.spawn(guest)
    assert bed.state(guest) == states.RUNNING


def test_down_and_up_again(bed: Bed, driver: FakeDriver) -> None:
    guest = bed.spawned()
    driver.set_down('pulled the plug')
    assert driver.healthy() == 'pulled the plug'
    with pytest.raises(exception.Unavailable, match='pulled the plug'):
        driver.guest_info(guest.instance.uuid)
    driver.set_down(None)
    assert bed.state(guest) == states.RUNNING


def test_crash_is_told(bed: Bed, driver: FakeDriver) -> None:
    guest = bed.spawned()
    driver.crash(guest.instance.uuid)
    assert bed.events == [GuestEvent(uuid=guest.instance.uuid, kind='crashed', power_state=states.CRASHED)]


def test_soft_reboot_obeyed_or_not(bed: Bed, driver: FakeDriver) -> None:
    guest = bed.spawned()
    assert driver.reboot_soft(guest, 0.05)
    assert driver.console_output(guest.instance, 10 ** 6).count(b'guest: boot done') == 2
    driver.ignore_shutdown(guest.instance.uuid)
    assert not driver.reboot_soft(guest, 0.05)
    assert bed.state(guest) == states.RUNNING
    driver.power_off(guest.instance, 0.05)
    assert bed.state(guest) == states.SHUTDOWN


def test_a_wait_for_a_guest_can_be_cancelled(bed: Bed, driver: FakeDriver) -> None:
    guest = bed.spawned()
    driver.ignore_shutdown(guest.instance.uuid)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(exception.Stale):
        driver.power_off(guest.instance, 600, cancelled)
    with pytest.raises(exception.Stale):
        driver.reboot_soft(guest, 600, cancelled)
    assert bed.state(guest) == states.RUNNING


def test_a_strangers_guest_is_shown_and_never_touched(bed: Bed, driver: FakeDriver) -> None:
    guest = make_guest()
    driver.add_foreign(guest.instance.uuid, 'mine')
    assert not driver.guest_info(guest.instance.uuid).ours
    for method, arguments in (('destroy', (guest.instance,)), ('spawn', (guest,)),
                              ('power_off', (guest.instance, 0)), ('reboot_hard', (guest,)),
                              ('moves.set_aside', (guest.instance,)), ('moves.adopt', (guest, {}))):
        with pytest.raises(exception.Failed) as caught:
            operator.attrgetter(method)(driver)(*arguments)
        assert caught.value.code == 'foreign_guest'
    assert bed.state(guest) == states.RUNNING


def test_guests_and_images_survive_a_restart_with_a_state_directory(tmp_path: pathlib.Path) -> None:
    first, data = make_driver(state_dir=str(tmp_path)), bytes(1024)
    bed = Bed(first, [], data, first.stop_outside)
    guest, other = bed.spawned(), bed.spawned()
    first.power_off(other.instance, 0)
    second = make_driver(state_dir=str(tmp_path))
    assert {info.uuid: info.power_state for info in second.guests()} == {
        guest.instance.uuid: states.RUNNING, other.instance.uuid: states.SHUTDOWN}
    source = Source(data)
    second.prepare(guest.instance, source)
    assert source.opened == 0
    second.moves.set_aside(other.instance)
    third = make_driver(state_dir=str(tmp_path))
    assert third.moves.is_aside(other.instance) and third.moves.all_aside() == [other.instance.uuid]
    assert other.instance.image is not None and other.instance.image.id not in third.expire_images(0)
    third.moves.restore(other)
    second.destroy(guest.instance)
    assert [info.uuid for info in make_driver(state_dir=str(tmp_path)).guests()] == [other.instance.uuid]


def test_without_downloads_no_data_is_asked_for() -> None:
    driver = make_driver(download_images=False)
    bed, source = Bed(driver, [], b'', driver.stop_outside), Source(b'')
    guest = make_guest(bed.image())
    driver.prepare(guest.instance, source)
    driver.spawn(guest)
    assert source.opened == 0 and bed.state(guest) == states.RUNNING
