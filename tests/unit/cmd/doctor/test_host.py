"""What the doctor says of a hypervisor host: KVM, libvirt, AppArmor, folders, network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from compute.cmd.doctor import apparmor, control_groups, disk_space, kvm, libvirtd, network, state_folder
from compute.cmd.doctor.diagnosis import FAILURE, OK, UNKNOWN, WARNING, Diagnosis
from compute.cmd.doctor.machine import Done
from tests.unit.cmd.doctor.making import FakeMachine, make_conf

INTEL = 'flags : fpu vmx sse'
GUEST = 'flags : fpu sse hypervisor'
BARE = 'flags : fpu sse'
AS_UDEV = ('root', 'kvm', 0o660)
FOLDER = '/var/lib/compute/instances'


def found(diagnoses: Iterator[Diagnosis]) -> list[tuple[str, str]]:
    """Return level and all text of each diagnosis; what is to be mended says how."""
    listed = list(diagnoses)
    assert all(each.remedy for each in listed if each.level in (WARNING, FAILURE))
    return [(each.level, f'{each.found} {each.remedy}') for each in listed]


def device(cpu: str = INTEL, owner: tuple[str, str, int] = AS_UDEV, **more: Any) -> FakeMachine:
    files = {'/dev/kvm': '', '/proc/cpuinfo': cpu, **more.pop('files', {})}
    return FakeMachine(files=files, owners={'/dev/kvm': owner}, **more)


@pytest.mark.parametrize(('owner', 'level'), [
    (AS_UDEV, OK), (('root', 'root', 0o666), OK), (('root', 'root', 0o600), FAILURE),
    (('root', 'root', 0o660), FAILURE), (('root', 'kvm', 0o640), FAILURE)])
def test_who_may_open_the_device(owner: tuple[str, str, int], level: str) -> None:
    first, *_ = found(kvm.look(device(owner=owner), make_conf()))
    assert first[0] == level
    assert ('chown root:kvm /dev/kvm && chmod 0660 /dev/kvm' in first[1]) is (level == FAILURE)


@pytest.mark.parametrize(('cpu', 'error', 'level', 'word'), [
    (INTEL, '', OK, 'KVM makes virtual machines'),
    (INTEL, 'No such device', WARNING, 'modprobe kvm_intel'),
    ('flags : svm', 'No such device', WARNING, 'modprobe kvm_amd'),
    (GUEST, 'Operation not permitted', WARNING, 'nested virtualisation'),
    (BARE, 'Operation not permitted', WARNING, 'firmware'),
    (GUEST, '', WARNING, 'neither vmx nor svm')])
def test_whether_kvm_works(cpu: str, error: str, level: str, word: str) -> None:
    _, second, *_ = found(kvm.look(device(cpu, kvm=error), make_conf()))
    assert second[0] == level and word in second[1] and error in second[1]


@pytest.mark.parametrize(('virt_type', 'level'), [('auto', WARNING), ('kvm', FAILURE)])
def test_without_the_device(virt_type: str, level: str) -> None:
    only, = found(kvm.look(FakeMachine(files={'/proc/cpuinfo': GUEST}), make_conf(libvirt__virt_type=virt_type)))
    assert only[0] == level and '/dev/kvm' in only[1]


@pytest.mark.parametrize(('nested', 'level', 'word'), [
    ('Y\n', OK, 'may use KVM'), ('0\n', OK, 'nested=1'), (None, UNKNOWN, 'it is unknown')])
def test_nested_virtualisation(nested: str | None, level: str, word: str) -> None:
    files = {} if nested is None else {'/sys/module/kvm_intel/parameters/nested': nested}
    *_, last = found(kvm.look(device(files=files), make_conf()))
    assert last[0] == level and word in last[1]


VIRSH = 'virsh -c qemu:///system'
VERSIONS = 'Using library: libvirt 9.0.0\nUsing API: QEMU 9.0.0\nRunning hypervisor: QEMU 7.2.13'


@pytest.mark.parametrize(('programs', 'level', 'word'), [
    ({}, FAILURE, 'there is no virsh'),
    ({f'{VIRSH} version': 1}, FAILURE, 'systemctl enable --now libvirtd'),
    ({f'{VIRSH} version': VERSIONS, f'{VIRSH} domcapabilities': '<x/>'}, OK, 'from its cache'),
    ({f'{VIRSH} version': VERSIONS, f'{VIRSH} domcapabilities': 1}, FAILURE, 'cannot determine the capabilities'),
    ({f'{VIRSH} version': VERSIONS, f'{VIRSH} domcapabilities': Done(0, '', 4.2)}, WARNING, 'took 4.2 s'),
    ({f'{VIRSH} version': VERSIONS.replace('7.2', '5.2'), f'{VIRSH} domcapabilities': ''}, FAILURE, 'QEMU is 5.2')])
def test_libvirt(programs: dict[str, Any], level: str, word: str) -> None:
    listed = found(libvirtd.look(FakeMachine(programs=programs), make_conf()))
    assert any(each[0] == level and word in each[1] for each in listed), listed
    assert level == OK or max(each[0] != OK for each in listed)


def test_libvirt_is_asked_twice_what_qemu_can_do() -> None:
    machine = FakeMachine(programs={f'{VIRSH} version': VERSIONS, f'{VIRSH} domcapabilities': ''})
    list(libvirtd.look(machine, make_conf()))
    assert machine.ran.count(f'{VIRSH} domcapabilities') == 2


ON = {'/sys/module/apparmor/parameters/enabled': 'Y\n'}
HELPER = '/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper'


@pytest.mark.parametrize(('files', 'path', 'levels'), [
    ({}, FOLDER, [OK]),
    ({**ON, apparmor.PROFILES: 'libvirtd (enforce)', HELPER: ''}, FOLDER, [OK]),
    ({**ON, apparmor.PROFILES: 'man (enforce)'}, FOLDER, [WARNING]),
    (ON, FOLDER, [UNKNOWN]),
    ({**ON, apparmor.PROFILES: 'libvirtd', HELPER: ''}, '/guests', [OK, FAILURE]),
    ({**ON, apparmor.PROFILES: 'libvirtd', HELPER: '',
      '/etc/apparmor.d/local/usr.lib.libvirt.virt-aa-helper': '/guests/** r,'}, '/guests', [OK])])
def test_apparmor(files: dict[str, str], path: str, levels: list[str]) -> None:
    machine = FakeMachine(files=files)
    assert [each[0] for each in found(apparmor.look(machine, make_conf(libvirt__instances_path=path)))] == levels


V1 = ('57 124 0:55 / /sys/fs/cgroup ro,nosuid shared:15 - tmpfs tmpfs ro,size=4096k,mode=755\n'
      '59 57 0:32 / /sys/fs/cgroup/memory {},nosuid,relatime shared:17 - cgroup cgroup rw,memory\n'
      '61 57 0:34 / /sys/fs/cgroup/freezer ro,nosuid,relatime shared:20 - cgroup cgroup rw,freezer\n'
      '66 57 0:38 / /sys/fs/cgroup/unified rw,nosuid,relatime shared:24 - cgroup2 cgroup rw\n')
V2 = '28 22 0:25 / /sys/fs/cgroup {},nosuid,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate\n'


@pytest.mark.parametrize(('mounts', 'levels', 'word'), [
    (V2.format('rw'), [OK], 'writable'), (V2.format('ro'), [FAILURE], '(/sys/fs/cgroup)'),
    (V1.format('rw'), [OK], 'writable'), (V1.format('ro'), [FAILURE], 'mount -o remount,bind,rw /sys/fs/cgroup/memory'),
    ('', [], '')])
def test_control_groups(mounts: str, levels: list[str], word: str) -> None:
    listed = found(control_groups.look(FakeMachine(files={control_groups.MOUNTS: mounts}), make_conf()))
    assert [each[0] for each in listed] == levels and all(word in each[1] for each in listed)


@pytest.mark.parametrize(('more', 'level', 'word'), [
    ({}, OK, 'can enter'),
    ({'closed': ('/var/lib',)}, FAILURE, 'chmod o+x /var/lib,'),
    ({'closed': (FOLDER,)}, FAILURE, f'cannot enter {FOLDER}'),
    ({'root': False}, UNKNOWN, 'run it as root'),
    ({'users': ()}, UNKNOWN, 'no user')])
def test_the_folder_of_guests(more: dict[str, Any], level: str, word: str) -> None:
    last = found(state_folder.look(FakeMachine(files={f'{FOLDER}/_base': ''}, **more), make_conf()))[-1]
    assert last[0] == level and word in last[1]


def test_the_user_of_qemu_is_the_configured_one() -> None:
    configured = FakeMachine(files={'/etc/libvirt/qemu.conf': '#user = "root"\nuser = "virt"\n'},
                             users=('virt', 'qemu'))
    assert state_folder.qemu_user(configured) == 'virt'
    assert state_folder.qemu_user(FakeMachine(users=('qemu',))) == 'qemu'


@pytest.mark.parametrize(('free', 'level'), [(50 * 1024 ** 3, OK), (1024 ** 3, WARNING), (0, FAILURE), (None, UNKNOWN)])
def test_disk_space(free: int | None, level: str) -> None:
    assert {each[0] for each in found(disk_space.look(FakeMachine(free=free), make_conf()))} == {level}


APART = 'unshare --net --'
WHOLE: dict[str, Any] = {
    f'{APART} true': '', f'{APART} ip link add doctor0 type bridge': '',
    f'{APART} ip link add doctor0 type veth peer name doctor1': '', f'{APART} nft add table inet doctor': '',
    f'{APART} nft add table bridge doctor': '', 'dnsmasq --version': ''}


@pytest.mark.parametrize(('broken', 'level', 'word'), [
    ({}, OK, ''),
    ({f'{APART} true': 1}, UNKNOWN, 'run it as root'),
    ({f'{APART} ip link add doctor0 type bridge': 2}, FAILURE, 'modprobe bridge'),
    ({f'{APART} nft add table inet doctor': 127}, FAILURE, 'apt-get install nftables'),
    ({f'{APART} nft add table bridge doctor': 1}, FAILURE, 'family bridge'),
    ({'dnsmasq --version': 127}, FAILURE, 'dnsmasq-base')])
def test_network(broken: dict[str, Any], level: str, word: str) -> None:
    listed = found(network.look(FakeMachine(programs={**WHOLE, **broken}), make_conf()))
    assert {each[0] for each in listed} - {OK} == ({level} - {OK})
    assert any(each[0] == level and word in each[1] for each in listed)


def test_no_network_agent_of_ours_needs_nothing() -> None:
    assert found(network.look(FakeMachine(), make_conf(network_agent__driver='fake'))) == []
