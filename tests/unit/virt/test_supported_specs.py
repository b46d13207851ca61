"""What a flavor or an image asks for either has an effect on the guest or is refused."""

from __future__ import annotations

import pytest

from compute.api.extra_specs import KNOWN
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.objects.supported_specs import (
    HONOURED_PROPERTIES,
    HONOURED_SPECS,
    SATISFIED_SPECS,
    unsupported_properties,
    unsupported_specs,
)
from compute.scheduler.filters import image_properties
from compute.virt import hardware


class Recording(dict[str, str]):
    """A mapping without values that notes what was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: object = None) -> None:  # type: ignore[override]
        self.asked.add(key)


def test_the_registry_says_what_is_read() -> None:
    specs, properties = Recording(), Recording()
    hardware.plan(Instance(
        uuid='u', project_id='p', user_id='u', name='vm', image=Image(id='i', name='i', properties=properties),
        flavor=Flavor(flavorid='1', name='f', vcpus=1, memory_mb=1, root_gb=1, extra_specs=specs)))
    filtered = {name for name in image_properties._VM_MODE if name.startswith('hw_')}
    assert specs.asked == HONOURED_SPECS
    assert properties.asked - {''} | filtered == HONOURED_PROPERTIES


def test_every_known_extra_spec_is_decided() -> None:
    """One that is neither honoured nor satisfied by some value is refused, whatever its value."""
    for name in KNOWN:
        refused = unsupported_specs({name: 'some value'})
        assert bool(refused) is (name not in HONOURED_SPECS), name
    assert SATISFIED_SPECS.keys() <= KNOWN.keys()


@pytest.mark.parametrize(('name', 'value'), [
    ('hw:cpu_policy', 'dedicated'), ('hw:cpu_policy', 'mixed'), ('hw:cpu_thread_policy', 'isolate'),
    ('hw:mem_page_size', 'large'), ('hw:mem_page_size', '1GB'), ('hw:mem_encryption', 'true'), ('hw:numa_nodes', '2'),
    ('hw:numa_cpus.0', '0,1'), ('hw:cpu_realtime', 'yes'), ('os:secure_boot', 'required'), ('hw:tpm_version', '2.0'),
    ('hw:ephemeral_encryption', 'True'), ('pci_passthrough:alias', 'gpu:1'), ('resources:VGPU', '1'),
    ('resources1:CUSTOM_X', '1'), ('trait:HW_CPU_X86_AVX512F', 'required'), ('trait:CUSTOM_X', 'forbidden'),
    ('aggregate_instance_extra_specs:ssd', 'true'), ('capabilities:cpu_arch', 'x86_64'),
    ('quota:vif_inbound_peak', '9'), ('quota:disk_read_iops_sec_burst', '9'), ('accel:device_profile', 'x'),
    ('hw:unheard_of', '1'), ('ssd', 'true'),
    ('hide_hypervisor_id', 'true'), ('hw:vif_multiqueue_enabled', 'on'), ('hw:locked_memory', '1')])
def test_extra_specs_without_an_effect(name: str, value: str) -> None:
    assert unsupported_specs({name: value, 'vendor:key': 'x'}) == [(name, value)]


@pytest.mark.parametrize(('name', 'value'), [
    ('hw:cpu_policy', 'shared'), ('hw:mem_page_size', 'any'), ('hw:mem_page_size', 'small'),
    ('hw:mem_encryption', 'False'),
    ('os:secure_boot', 'optional'), ('hw:cpu_cores', '2'), ('quota:cpu_shares', '100'), ('vendor:key', 'anything'),
    ('scs:cpu-type', 'shared-core'), ('quota:disk_read_bytes_sec', '1'), ('hw_rng:allowed', 'true')])
def test_extra_specs_that_are_done_or_mean_nothing_to_compute(name: str, value: str) -> None:
    assert unsupported_specs({name: value}) == []


@pytest.mark.parametrize(('name', 'value'), [
    ('hw_cpu_policy', 'dedicated'), ('hw_mem_page_size', 'large'), ('hw_mem_encryption', 'true'),
    ('os_secure_boot', 'required'), ('hw_tpm_model', 'tpm-crb'), ('hw_numa_nodes', '2'), ('hw_serial_port_count', '2'),
    ('trait:HW_CPU_X86_SGX', 'required'), ('hw_ephemeral_encryption', 'yes'), ('img_hide_hypervisor_id', 'true'),
    ('hw_vif_multiqueue_enabled', 'true'), ('hw_mem_encrytpion', 'true')])
def test_properties_without_an_effect(name: str, value: str) -> None:
    assert unsupported_properties({name: value, 'os_distro': 'debian'}) == [(name, value)]


@pytest.mark.parametrize(('name', 'value'), [
    ('hw_disk_bus', 'virtio'), ('hw_mem_encryption', 'false'), ('os_secure_boot', 'disabled'), ('os_distro', 'debian'),
    ('os_require_quiesce', 'yes'), ('hw_rescue_device', 'disk'), ('img_signature', 'x'), ('architecture', 'x86_64'),
    ('owner_specified.openstack.md5', 'x'), ('hypervisor_type', 'qemu')])
def test_properties_that_are_done_or_ask_for_nothing(name: str, value: str) -> None:
    assert unsupported_properties({name: value}) == []
