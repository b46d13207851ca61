"""Which hardware image and flavor give."""

from __future__ import annotations

import pytest

from compute import exception
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.virt import hardware
from compute.virt.hardware import Topology
from tests.contract.virt.making import make_instance


def instance(properties: dict[str, str] | None = None, extra_specs: dict[str, str] | None = None,
             vcpus: int = 1) -> Instance:
    return make_instance(Image(id='i-1', properties=properties or {}),
                         flavor={'vcpus': vcpus, 'extra_specs': extra_specs or {}})


def test_defaults() -> None:
    plan = hardware.plan(instance())
    assert (plan.disk_bus, plan.vif_model, plan.video_model, plan.firmware) == ('virtio', 'virtio', 'virtio', 'bios')
    assert plan.rng and plan.pointer and not plan.guest_agent and plan.watchdog is None and plan.machine is None


@pytest.mark.parametrize(('properties', 'name', 'value'), [
    ({'hw_disk_bus': 'scsi'}, 'disk_bus', 'scsi'),
    ({'hw_cdrom_bus': 'sata'}, 'cdrom_bus', 'sata'),
    ({'hw_vif_model': 'e1000'}, 'vif_model', 'e1000'),
    ({'hw_machine_type': 'pc-q35-7.2'}, 'machine', 'pc-q35-7.2'),
    ({'hw_qemu_guest_agent': 'yes'}, 'guest_agent', True),
    ({'hw_pointer_model': 'ps2mouse'}, 'pointer', False),
    ({'hw_watchdog_action': 'reset'}, 'watchdog', 'reset'),
    ({'hw_watchdog_action': 'disabled'}, 'watchdog', None),
    ({'hw_firmware_type': 'uefi'}, 'firmware', 'uefi'),
    ({'architecture': 'aarch64'}, 'architecture', 'aarch64'),
    ({'architecture': 'amd64'}, 'architecture', 'x86_64'),
    ({'hw_architecture': 'ARM64 ', 'architecture': 'amd64'}, 'architecture', 'aarch64'),
    ({'hw_architecture': '', 'architecture': 'i386'}, 'architecture', 'i686'),
    ({'hw_architecture': ' '}, 'architecture', None),
    ({'hw_video_ram': '16'}, 'video_ram_mb', 16),
    ({'something_else': 'floppy'}, 'disk_bus', 'virtio'),
])
def test_image_properties(properties: dict[str, str], name: str, value: object) -> None:
    assert getattr(hardware.plan(instance(properties)), name) == value


@pytest.mark.parametrize(('specs', 'name', 'value'), [
    ({'hw_rng:allowed': 'false'}, 'rng', False),
    ({'hw_rng:rate_bytes': '10', 'hw_rng:rate_period': '5'}, 'rng_bytes', 10),
    ({'hw:watchdog_action': 'pause'}, 'watchdog', 'pause'),
    ({'quota:cpu_shares': '512'}, 'quota', hardware.Quota({'shares': 512})),
    ({'quota:disk_read_iops_sec': '9'}, 'quota', hardware.Quota({}, {'read_iops_sec': 9})),
])
def test_extra_specs(specs: dict[str, str], name: str, value: object) -> None:
    assert getattr(hardware.plan(instance(None, specs)), name) == value


@pytest.mark.parametrize(('properties', 'specs', 'said'), [
    ({'hw_disk_bus': 'floppy'}, {}, "image i-1: hw_disk_bus is 'floppy'; it takes one of virtio, scsi, ide"),
    ({'hw_qemu_guest_agent': 'perhaps'}, {}, "hw_qemu_guest_agent is 'perhaps'; it takes true or false"),
    ({'architecture': 'vax'}, {}, "image i-1: architecture is 'vax'; it takes one of x86_64, i686"),
    ({'hw_video_ram': '99'}, {'hw_video:ram_max_mb': '64'}, "hw_video_ram is '99'; it takes an integer from 0 to 64"),
    ({'hw_machine_type': 'pc" foo'}, {}, 'hw_machine_type'),
    ({}, {'quota:cpu_shares': 'many'}, "flavor m1.test: quota:cpu_shares is 'many'; it takes an integer from 2"),
    ({'hw_cpu_sockets': '0'}, {}, 'hw_cpu_sockets'),
    ({'hw_cpu_max_sockets': '4'}, {'hw:cpu_max_sockets': '2'}, "hw_cpu_max_sockets is '4'"),
])
def test_what_is_wrong_is_named(properties: dict[str, str], specs: dict[str, str], said: str) -> None:
    with pytest.raises(exception.Failed) as caught:
        hardware.plan(instance(properties, specs))
    assert said in caught.value.message and caught.value.code == 'bad_property'


@pytest.mark.parametrize(('vcpus', 'properties', 'specs', 'expected'), [
    (4, {}, {}, Topology(4, 1, 1)),
    (4, {}, {'hw:cpu_sockets': '1'}, Topology(1, 4, 1)),
    (8, {}, {'hw:cpu_sockets': '2', 'hw:cpu_cores': '2'}, Topology(2, 2, 2)),
    (8, {}, {'hw:cpu_max_sockets': '2'}, Topology(2, 4, 1)),
    (8, {'hw_cpu_threads': '2'}, {'hw:cpu_threads': '1'}, Topology(4, 1, 2)),
    (8, {'hw_cpu_max_sockets': '1'}, {'hw:cpu_max_sockets': '2'}, Topology(1, 8, 1)),
    (3, {'hw_cpu_cores': '2'}, {}, Topology(3, 1, 1)),
    (6, {'hw_cpu_max_sockets': '1', 'hw_cpu_max_threads': '2', 'hw_cpu_threads': '2'}, {}, Topology(1, 3, 2)),
])
def test_topology(vcpus: int, properties: dict[str, str], specs: dict[str, str], expected: Topology) -> None:
    assert hardware.plan(instance(properties, specs, vcpus)).topology == expected


def test_a_topology_that_cannot_be() -> None:
    with pytest.raises(exception.Failed) as caught:
        hardware.plan(instance({'hw_cpu_max_sockets': '1', 'hw_cpu_max_cores': '1', 'hw_cpu_max_threads': '1'},
                               None, 2))
    assert caught.value.code == 'cpu_topology'
