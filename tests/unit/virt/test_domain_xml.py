"""The domain XML: what of the values arrives where."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from compute import exception
from compute.objects.image import Image
from compute.objects.nic import Nic
from compute.virt import hardware
from compute.virt.libvirt.disks import default_cdrom_bus
from compute.virt.libvirt.xml import metadata
from compute.virt.libvirt.xml.disk import Targets
from compute.virt.libvirt.xml.domain import domain, domain_xml
from compute.virt.libvirt.xml.element import Element, element, to_text
from compute.virt.libvirt.xml.interface import interface
from compute.virt.libvirt.xml.spec import Cpu, Disk, DomainSpec, KernelBoot
from tests.contract.virt.making import make_instance

NIC = Nic(port_id='p-1', network_id='n-1', mac='fa:16:3e:00:00:01', device='tapp-1', mtu=1450)


def make_spec(properties: dict[str, str] | None = None, extra_specs: dict[str, str] | None = None,
              **changes: object) -> DomainSpec:
    instance = make_instance(Image(id='i-1', properties=properties or {}), id=10, name='a <server> & "more"',
                             flavor={'vcpus': 2, 'memory_mb': 512, 'extra_specs': extra_specs or {}})
    spec = DomainSpec(instance=instance, plan=hardware.plan(instance), virt_type='qemu', architecture='x86_64',
                      machine='pc', console_log='/i/console.log', manufacturer='Maker', product='Thing')
    return dataclasses.replace(spec, **changes)  # type: ignore[arg-type]


def text(found: Element | None) -> str:
    assert found is not None
    return to_text(found)


def test_the_frame() -> None:
    made = domain(make_spec())
    assert made.get('type') == 'qemu'
    assert [made.findtext(name) for name in ('name', 'memory', 'vcpu')] == ['instance-0000000a', '512', '2']
    assert text(made.find('os')) == ('<os><type arch="x86_64" machine="pc">hvm</type><smbios mode="sysinfo" /></os>')
    assert made.find('features/acpi') is not None
    assert made.findtext("sysinfo/system/entry[@name='serial']") == made.findtext('uuid')
    assert made.findtext("sysinfo/system/entry[@name='manufacturer']") == 'Maker'
    assert made.find('cputune') is None


def test_a_direct_kernel_boot() -> None:
    boot = KernelBoot(kernel='/i/kernel', ramdisk='/i/ramdisk', command_line='root=/dev/vda <1>')
    whole = make_spec(kernel_boot=boot)
    assert text(domain(whole).find('os')) == (
        '<os><type arch="x86_64" machine="pc">hvm</type><kernel>/i/kernel</kernel><initrd>/i/ramdisk</initrd>'
        '<cmdline>root=/dev/vda &lt;1&gt;</cmdline><smbios mode="sysinfo" /></os>')
    alone = make_spec(kernel_boot=KernelBoot(kernel='/i/kernel', ramdisk=None, command_line='x'))
    assert domain(alone).find('os/initrd') is None and domain(alone).findtext('os/kernel') == '/i/kernel'


def test_every_disk_says_its_format() -> None:
    """QEMU would find out by itself otherwise, from what the guest wrote there."""
    disks = tuple(Disk(path=f'/i/{number}', target=f'vd{number}', bus='virtio', format=name, device=device)
                  for number, (name, device) in enumerate([('raw', 'disk'), ('qcow2', 'disk'), ('raw', 'cdrom')]))
    found = domain(make_spec(disks=disks)).findall('devices/disk')
    assert [one.find('driver').get('type') for one in found] == ['raw', 'qcow2', 'raw']  # type: ignore[union-attr]


@pytest.mark.parametrize('bad', ['\x00', '\x1b', '\ufffe', '\uffff', '\ud800'])
def test_characters_that_xml_cannot_hold_are_replaced(bad: str) -> None:
    made = to_text(element('a', element('b', text=f'x{bad}y\t\n\U0001f408'), name=f'{bad}z'))
    parsed = ElementTree.fromstring(made)
    assert parsed.get('name') == '\ufffdz' and parsed[0].text == 'x\ufffdy\t\n\U0001f408'


def test_text_is_escaped_and_the_mark_is_found() -> None:
    spec = make_spec()
    assert 'a &lt;server&gt; &amp;' in domain_xml(spec)
    made = domain(spec)
    assert metadata.is_ours(made) and not metadata.is_ours(element('domain', element('metadata')))
    name = made.find(f'metadata/{{{metadata.NAMESPACE}}}instance/{{{metadata.NAMESPACE}}}name')
    assert name is not None and name.text == 'a <server> & "more"'


@pytest.mark.parametrize(('cpu', 'expected'), [
    (Cpu(), '<cpu><topology sockets="2" cores="1" threads="1" /></cpu>'),
    (Cpu(mode='maximum'), '<cpu mode="maximum" check="none"><topology sockets="2" cores="1" threads="1" /></cpu>'),
    (Cpu(mode='custom', model='Nehalem', flags=('+pcid', '-vmx')),
     '<cpu mode="custom" match="exact"><model fallback="forbid">Nehalem</model>'
     '<topology sockets="2" cores="1" threads="1" /><feature policy="require" name="pcid" />'
     '<feature policy="disable" name="vmx" /></cpu>'),
])
def test_cpu(cpu: Cpu, expected: str) -> None:
    assert text(domain(make_spec(cpu=cpu)).find('cpu')) == expected


def test_disks() -> None:
    disks = (Disk(path='/i/disk', target='vda', bus='virtio', cache='none', boot=1),
             Disk(path='/i/disk.config', target='hda', bus='ide', device='cdrom', format='raw'))
    made = domain(make_spec(None, {'quota:disk_total_iops_sec': '7'}, disks=disks)).findall('devices/disk')
    assert [to_text(one) for one in made] == [
        '<disk type="file" device="disk"><driver name="qemu" type="qcow2" cache="none" discard="unmap" />'
        '<source file="/i/disk" /><target dev="vda" bus="virtio" />'
        '<iotune><total_iops_sec>7</total_iops_sec></iotune><boot order="1" /></disk>',
        '<disk type="file" device="cdrom"><driver name="qemu" type="raw" cache="writeback" />'
        '<source file="/i/disk.config" /><target dev="hda" bus="ide" /><readonly /></disk>']


def test_a_scsi_disk_brings_its_controller() -> None:
    spec = make_spec({'hw_scsi_model': 'lsilogic'}, disks=(Disk(path='/d', target='sda', bus='scsi'),))
    assert text(domain(spec).find('devices/controller')) == '<controller type="scsi" index="0" model="lsilogic" />'
    assert domain(make_spec()).find('devices/controller') is None


@pytest.mark.parametrize(('changes', 'expected'), [
    ({'vif_type': 'tap'}, '<interface type="ethernet"><mac address="fa:16:3e:00:00:01" />'
     '<target dev="tapp-1" managed="no" /><model type="virtio" /><mtu size="1450" /></interface>'),
    ({'vif_type': 'bridge', 'vif_details': {'bridge_name': 'brq1'}, 'mtu': 0},
     '<interface type="bridge"><mac address="fa:16:3e:00:00:01" /><source bridge="brq1" /><target dev="tapp-1" />'
     '<model type="virtio" /></interface>'),
    ({'vif_type': 'ovs', 'device': '', 'mtu': 0},
     '<interface type="bridge"><mac address="fa:16:3e:00:00:01" /><source bridge="br-int" />'
     '<virtualport type="openvswitch"><parameters interfaceid="p-1" /></virtualport>'
     '<model type="virtio" /></interface>'),
])
def test_interfaces(changes: dict[str, object], expected: str) -> None:
    nic = dataclasses.replace(NIC, **changes)  # type: ignore[arg-type]
    assert to_text(interface(nic, 'virtio')) == expected


@pytest.mark.parametrize('changes', [{'vif_type': 'vhostuser'}, {'vif_type': 'bridge'}])
def test_an_interface_that_cannot_be_plugged(changes: dict[str, str]) -> None:
    with pytest.raises(exception.Failed) as caught:
        interface(dataclasses.replace(NIC, **changes), 'virtio')  # type: ignore[arg-type]
    assert caught.value.code == 'vif_unsupported' and 'p-1' in caught.value.message


def test_devices() -> None:
    made = domain(make_spec({'hw_qemu_guest_agent': 'true', 'hw_watchdog_action': 'reset', 'hw_video_ram': '8'},
                            {'hw_rng:rate_bytes': '9'}))
    devices = made.find('devices')
    assert devices is not None
    assert [one.tag for one in devices] == ['serial', 'console', 'channel', 'input', 'graphics', 'video', 'watchdog',
                                            'rng', 'memballoon']
    assert text(devices.find('serial')) == (
        '<serial type="pty"><log file="/i/console.log" append="on" /><target port="0" /></serial>')
    assert text(devices.find('graphics')) == (
        '<graphics type="vnc" port="-1" autoport="yes"><listen type="address" address="127.0.0.1" /></graphics>')
    assert text(devices.find('video')) == '<video><model type="virtio" heads="1" vram="8192" /></video>'
    assert text(devices.find('rng/rate')) == '<rate bytes="9" />'


def test_a_guest_without_screen() -> None:
    made = domain(make_spec({'hw_video_model': 'none'}))
    assert made.find('devices/graphics') is None and made.find('devices/input') is None


def test_other_architectures_are_no_pcs() -> None:
    made = domain(make_spec(architecture='aarch64', machine=None))
    assert made.find('sysinfo') is None and made.find('clock/timer') is None and made.find('features/apic') is None


def test_windows_and_uefi_and_tuning() -> None:
    made = domain(make_spec({'os_type': 'windows', 'hw_firmware_type': 'uefi'}, {'quota:cpu_quota': '5000'}))
    assert text(made.find('clock')).startswith('<clock offset="localtime">')
    assert text(made.find('os')).startswith('<os firmware="efi">')
    assert text(made.find('cputune')) == '<cputune><quota>5000</quota></cputune>'


def test_target_names_are_shared_by_buses_of_one_prefix() -> None:
    targets = Targets()
    assert [targets.next(bus) for bus in ('virtio', 'sata', 'scsi', 'ide', 'virtio', 'usb')] == [
        'vda', 'sda', 'sdb', 'hda', 'vdb', 'sdc']


@pytest.mark.parametrize(('machine', 'bus'), [('pc', 'ide'), ('pc-i440fx-7.2', 'ide'), ('q35', 'sata'),
                                              ('pc-q35-7.2', 'sata'), (None, 'scsi'), ('virt', 'scsi')])
def test_where_the_cd_drive_is(machine: str | None, bus: str) -> None:
    assert default_cdrom_bus(machine) == bus
