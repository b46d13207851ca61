"""What every driver must do, as tests. A subclass gives a ``bed``: see ``Bed``.

The suite runs on the fake in ``test_fake_driver.py`` and on the real libvirt in ``tests/real/test_libvirt_driver.py``.
"""

from __future__ import annotations

import dataclasses
import struct
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from compute import exception, states
from compute.objects.nic import Nic
from tests.contract.virt.bed import Bed, wait_for
from tests.contract.virt.making import Source, make_guest, make_image, make_instance
from tests.contract.virt.moves import MovesContract

MIB = 1024 ** 2


class LifecycleContract:
    """Make, run, stop, remove."""

    def test_spawn_makes_a_running_guest_of_ours(self, bed: Bed) -> None:
        guest = bed.spawned(flavor={'vcpus': 2})
        info = bed.driver.guest_info(guest.instance.uuid)
        assert (info.name, info.power_state, info.ours) == (guest.instance.guest_name, states.RUNNING, True)
        assert (info.memory_mb, info.vcpus) == (64, 2)
        assert info in bed.driver.guests()

    def test_spawn_replaces_what_an_interrupted_attempt_left(self, bed: Bed) -> None:
        guest = bed.spawned()
        bed.driver.spawn(guest)
        assert [info.uuid for info in bed.driver.guests()].count(guest.instance.uuid) == 1
        assert bed.state(guest) == states.RUNNING

    def test_spawn_without_prepared_image_may_be_retried_elsewhere(self, bed: Bed) -> None:
        guest = make_guest(bed.image())
        with pytest.raises(exception.Retry) as caught:
            bed.driver.spawn(guest)
        assert guest.instance.image is not None and guest.instance.image.id in caught.value.message
        assert guest.instance.uuid not in [info.uuid for info in bed.driver.guests()]

    def test_spawn_with_a_kernel_that_is_not_there_may_be_retried_elsewhere(self, bed: Bed) -> None:
        guest, source = bed.with_kernel()
        image = guest.instance.image
        assert image is not None
        bed.driver.prepare(dataclasses.replace(guest.instance, image=dataclasses.replace(image, kernel=None)), source)
        with pytest.raises(exception.Retry) as caught:
            bed.driver.spawn(guest)
        assert caught.value.code == 'image_missing' and image.kernel is not None
        assert image.kernel.id in caught.value.message

    def test_spawn_refuses_an_unbound_port(self, bed: Bed) -> None:
        nic = Nic(port_id='p-1', network_id='n-1', mac='52:54:00:00:00:01', vif_type='binding_failed')
        guest = dataclasses.replace(bed.guest(), nics=(nic,))
        with pytest.raises(exception.Failed) as caught:
            bed.driver.spawn(guest)
        assert caught.value.code == 'port_binding_failed' and 'p-1' in caught.value.message
        with pytest.raises(exception.NotFound):
            bed.driver.guest_info(guest.instance.uuid)

    def test_spawn_refuses_a_property_that_no_host_knows(self, bed: Bed) -> None:
        guest = make_guest(bed.image(properties={'hw_disk_bus': 'floppy'}))
        with pytest.raises(exception.Failed, match=r"hw_disk_bus is 'floppy'; it takes one of virtio, scsi"):
            bed.driver.spawn(guest)

    def test_destroy_removes_and_may_be_sent_again(self, bed: Bed) -> None:
        guest = bed.spawned()
        bed.driver.destroy(guest.instance)
        bed.driver.destroy(guest.instance)
        with pytest.raises(exception.NotFound):
            bed.driver.guest_info(guest.instance.uuid)
        assert guest.instance.uuid not in [info.uuid for info in bed.driver.guests()]

    def test_files_come_and_go_with_their_guest(self, bed: Bed) -> None:
        guest, other = bed.spawned(), make_guest()
        bed.driver.power_off(guest.instance, 0)
        assert guest.instance.uuid in bed.driver.stored() and other.instance.uuid not in bed.driver.stored()
        bed.driver.destroy(guest.instance)
        with pytest.raises(exception.Retry):
            bed.driver.spawn(make_guest(bed.image()))
        assert not {guest.instance.uuid, other.instance.uuid} & set(bed.driver.stored())

    def test_power_off_and_on(self, bed: Bed) -> None:
        guest = bed.spawned()
        for _ in range(2):
            bed.driver.power_off(guest.instance, 0)
            assert bed.state(guest) == states.SHUTDOWN
        for _ in range(2):
            bed.driver.power_on(guest)
            assert bed.state(guest) == states.RUNNING

    def test_reboot_hard_works_from_any_state(self, bed: Bed) -> None:
        guest = bed.spawned()
        bed.driver.reboot_hard(guest)
        assert bed.state(guest) == states.RUNNING
        bed.driver.power_off(guest.instance, 0)
        bed.driver.reboot_hard(guest)
        assert bed.state(guest) == states.RUNNING

    def test_reboot_hard_leaves_a_guest_running_that_could_not_start(self, bed: Bed) -> None:
        guest = bed.spawned()
        nic = Nic(port_id='p-1', network_id='n-1', mac='52:54:00:00:00:01', vif_type='unbound')
        with pytest.raises(exception.Failed) as caught:
            bed.driver.reboot_hard(dataclasses.replace(guest, nics=(nic,)))
        assert caught.value.code == 'port_binding_failed' and bed.state(guest) == states.RUNNING

    @pytest.mark.parametrize('method', ['guest_info', 'power_on', 'power_off', 'reboot_soft', 'reboot_hard',
                                        'console_output', 'vnc_address'])
    def test_a_guest_that_is_not_there_is_not_found(self, bed: Bed, method: str) -> None:
        guest = make_guest()
        arguments = {'guest_info': (guest.instance.uuid,), 'power_on': (guest,), 'reboot_hard': (guest,),
                     'reboot_soft': (guest, 1), 'vnc_address': (guest.instance,)}.get(method, (guest.instance, 1))
        with pytest.raises(exception.NotFound) as caught:
            getattr(bed.driver, method)(*arguments)
        assert guest.instance.uuid in caught.value.message

    def test_an_end_from_outside_is_told(self, bed: Bed) -> None:
        guest = bed.spawned()
        bed.kill(guest.instance.uuid)
        wait_for(lambda: any(event.uuid == guest.instance.uuid and event.kind in ('stopped', 'crashed')
                             and event.power_state in (states.SHUTDOWN, states.CRASHED) for event in bed.events))
        assert bed.state(guest) in (states.SHUTDOWN, states.CRASHED)
        bed.driver.power_on(guest)
        assert bed.state(guest) == states.RUNNING


class PowerContract:
    """Stop the processors of a guest, or save its memory, and let it go on."""

    def test_pause_and_unpause(self, bed: Bed) -> None:
        guest = bed.spawned()
        for _ in range(2):
            bed.driver.power.pause(guest.instance)
            assert bed.state(guest) == states.PAUSED
        for _ in range(2):
            bed.driver.power.unpause(guest.instance)
            assert bed.state(guest) == states.RUNNING

    def test_suspend_and_resume(self, bed: Bed) -> None:
        guest = bed.spawned()
        for _ in range(2):
            bed.driver.power.suspend(guest.instance)
            assert bed.state(guest) == states.SHUTDOWN
        for _ in range(2):
            bed.driver.power.resume(guest)
            assert bed.state(guest) == states.RUNNING

    def test_a_guest_whose_memory_is_lost_starts_anew(self, bed: Bed) -> None:
        guest = bed.spawned()
        bed.driver.power_off(guest.instance, 0)
        bed.driver.power.resume(guest)
        assert bed.state(guest) == states.RUNNING

    def test_a_resume_that_cannot_start_keeps_the_memory(self, bed: Bed) -> None:
        guest = bed.spawned()
        bed.driver.power.suspend(guest.instance)
        nic = Nic(port_id='p-1', network_id='n-1', mac='52:54:00:00:00:01', vif_type='unbound')
        with pytest.raises(exception.Failed) as caught:
            bed.driver.power.resume(dataclasses.replace(guest, nics=(nic,)))
        assert caught.value.code == 'port_binding_failed' and bed.state(guest) == states.SHUTDOWN
        bed.driver.power.suspend(guest.instance)  # still saved: no change
        bed.driver.power.resume(guest)
        assert bed.state(guest) == states.RUNNING

    @pytest.mark.parametrize('leave', ['pause', 'suspend'])
    def test_any_of_them_can_be_rebooted_hard_and_destroyed(self, bed: Bed, leave: str) -> None:
        guest = bed.spawned()
        getattr(bed.driver.power, leave)(guest.instance)
        bed.driver.reboot_hard(guest)
        assert bed.state(guest) == states.RUNNING
        getattr(bed.driver.power, leave)(guest.instance)
        bed.driver.destroy(guest.instance)
        assert guest.instance.uuid not in {each.uuid for each in bed.driver.guests()}

    @pytest.mark.parametrize('method', ['pause', 'unpause', 'suspend'])
    def test_a_guest_that_is_off_is_refused(self, bed: Bed, method: str) -> None:
        guest = bed.spawned()
        bed.driver.power_off(guest.instance, 0)
        with pytest.raises(exception.Failed) as caught:
            getattr(bed.driver.power, method)(guest.instance)
        assert caught.value.code == 'guest_not_running' and bed.state(guest) == states.SHUTDOWN

    @pytest.mark.parametrize('method', ['pause', 'unpause', 'suspend', 'resume'])
    def test_one_that_does_not_exist_is_not_found(self, bed: Bed, method: str) -> None:
        guest = make_guest()
        with pytest.raises(exception.NotFound) as caught:
            getattr(bed.driver.power, method)(guest if method == 'resume' else guest.instance)
        assert guest.instance.uuid in caught.value.message


class ConsoleContract:
    """What a guest shows."""

    def test_console_output_is_cut_at_the_front(self, bed: Bed) -> None:
        guest = bed.spawned()
        whole = bed.driver.console_output(guest.instance, 10 ** 6)
        assert bed.driver.console_output(guest.instance, 0) == b''
        assert len(bed.driver.console_output(guest.instance, 20)) == min(20, len(whole))

    def test_vnc_needs_a_running_guest(self, bed: Bed) -> None:
        guest, other = bed.spawned(), bed.spawned()
        first, second = bed.driver.vnc_address(guest.instance), bed.driver.vnc_address(other.instance)
        assert first.kind == 'vnc' and first.host and first.port != second.port
        bed.driver.power_off(guest.instance, 0)
        with pytest.raises(exception.NotFound):
            bed.driver.vnc_address(guest.instance)


class ImageContract:
    """The cache of base images."""

    def test_fetched_once_for_many(self, bed: Bed) -> None:
        image, gate = bed.image(), threading.Event()
        source = Source(bed.data, before=lambda: gate.wait(120))
        with ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(bed.driver.prepare, make_instance(image), source) for _ in range(4)]
            gate.set()
            for future in waiting:
                future.result(120)
        assert source.opened == 1

    @pytest.mark.parametrize('lie', [{'os_hash_value': '0' * 128}, {'size': 1},
                                     {'os_hash_algo': None, 'os_hash_value': None, 'checksum': '0' * 32}])
    def test_corrupt_data_is_refused_and_not_kept(self, bed: Bed, lie: dict[str, object]) -> None:
        image = bed.image()
        with pytest.raises(exception.Failed) as caught:
            bed.driver.prepare(make_instance(dataclasses.replace(image, **lie)), Source(bed.data))  # type: ignore[arg-type]
        assert caught.value.code == 'image_corrupt' and image.id in caught.value.message
        source = Source(bed.data)
        bed.driver.prepare(make_instance(image), source)
        assert source.opened == 1

    def test_a_fetch_that_breaks_off_leaves_nothing(self, bed: Bed) -> None:
        image = bed.image()

        def broken() -> None:
            raise exception.Unavailable('the image service went away')
        with pytest.raises(exception.Unavailable):
            bed.driver.prepare(make_instance(image), Source(bed.data, before=broken))
        source = Source(bed.data)
        bed.driver.prepare(make_instance(image), source)
        assert source.opened == 1

    def test_a_fetch_can_be_cancelled(self, bed: Bed) -> None:
        image, cancelled = bed.image(), threading.Event()
        with pytest.raises(exception.Stale):
            bed.driver.prepare(make_instance(image), Source(bed.data, before=cancelled.set), cancelled)
        source = Source(bed.data)
        bed.driver.prepare(make_instance(image), source, threading.Event())
        assert source.opened == 1

    def test_a_wait_for_the_fetch_of_another_can_be_cancelled(self, bed: Bed) -> None:
        image, begun, gate, cancelled = bed.image(), threading.Event(), threading.Event(), threading.Event()
        source = Source(bed.data, before=lambda: begun.set() or gate.wait(120))  # type: ignore[func-returns-value]
        with ThreadPoolExecutor(2) as pool:
            fetching = pool.submit(bed.driver.prepare, make_instance(image), source)
            assert begun.wait(120)
            waiting = pool.submit(bed.driver.prepare, make_instance(image), source, cancelled)
            assert not wait([waiting], 0.1).done
            cancelled.set()
            with pytest.raises(exception.Stale):
                waiting.result(120)
            assert not fetching.done()
            gate.set()
            fetching.result(120)
        assert source.opened == 1

    @pytest.mark.parametrize(('disk_format', 'data'), [
        ('raw', b'QFI\xfb\x00\x00\x00\x03' + bytes(1016)), ('qcow2', b'\x00' * 1024), ('vmdk', b'KDMV' + bytes(1020)),
        ('qcow2', b'QFI\xfb' + struct.pack('>IQII', 3, 512, 11, 16) + bytes(488) + b'/etc/passwd'),
    ], ids=['qcow2 called raw', 'raw called qcow2', 'not bootable', 'backing file'])
    def test_a_lying_or_dangerous_format_is_refused(self, bed: Bed, disk_format: str, data: bytes) -> None:
        with pytest.raises(exception.Failed) as caught:
            bed.driver.prepare(make_instance(make_image(data, disk_format)), Source(data))
        assert caught.value.code == 'image_format'

    def test_kernel_and_ram_disk_are_fetched_too(self, bed: Bed) -> None:
        guest, source = bed.with_kernel()
        bed.driver.prepare(guest.instance, source)
        assert source.opened == 3
        bed.driver.prepare(guest.instance, source)
        assert source.opened == 3

    @pytest.mark.parametrize('which', ['kernel', 'ramdisk'])
    @pytest.mark.parametrize(('lie', 'code'), [
        ({'os_hash_value': '0' * 128}, 'image_corrupt'), ({'disk_format': 'qcow2'}, 'image_format'),
        ({'container_format': 'docker'}, 'image_format')])
    def test_a_kernel_that_is_no_such_thing_is_refused(self, bed: Bed, which: str, lie: dict[str, object],
                                                       code: str) -> None:
        guest, source = bed.with_kernel()
        image = guest.instance.image
        assert image is not None
        wrong = dataclasses.replace(image, **{which: dataclasses.replace(getattr(image, which), **lie)})
        with pytest.raises(exception.Failed) as caught:
            bed.driver.prepare(dataclasses.replace(guest.instance, image=wrong), source)
        assert caught.value.code == code and getattr(image, which).id in caught.value.message

    def test_an_image_larger_than_the_flavors_disk_is_refused(self, bed: Bed) -> None:
        image = make_image(bytes(MIB), virtual_size=2 * 1024 ** 3)
        with pytest.raises(exception.Failed) as caught:
            bed.driver.prepare(make_instance(image, flavor={'root_gb': 1}),
                               Source(bytes(MIB)))
        assert caught.value.code == 'image_too_large' and 'm1.test' in caught.value.message


class ExpiryContract:
    """What may leave the cache."""

    def test_expiry_spares_what_is_used(self, bed: Bed) -> None:
        guest, idle = bed.spawned(), bed.image()
        bed.driver.prepare(make_instance(idle), Source(bed.data))
        assert not bed.driver.expire_images(3600)
        gone = bed.driver.expire_images(0)
        assert guest.instance.image is not None
        assert idle.id in gone and guest.instance.image.id not in gone


class HostContract:
    """What the host is."""

    def test_inventory(self, bed: Bed) -> None:
        found = bed.driver.inventory()
        assert found.node and found.hypervisor_type and found.hypervisor_version > 0
        assert found.vcpus > 0 and found.memory_mb > 0 and found.disk_gb >= found.free_disk_gb >= 0
        assert found.architectures and found.cpu_info['arch'] == found.architectures[0]
        assert found.uptime

    def test_hosts_and_health(self, bed: Bed) -> None:
        assert bed.driver.hosts() == ['host-1']
        assert bed.driver.healthy() is None

    def test_unknown_uuid_is_in_no_list(self, bed: Bed) -> None:
        assert str(uuid.uuid4()) not in [info.uuid for info in bed.driver.guests()]


class DriverContract(LifecycleContract, PowerContract, MovesContract, ConsoleContract, ImageContract, ExpiryContract,
                     HostContract):
    """All of it."""
