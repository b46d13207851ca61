"""The parts of a domain that are no devices: firmware, SMBIOS, CPU, features, clock, tuning."""

from __future__ import annotations

from compute.virt.libvirt.xml.element import Element, element
from compute.virt.libvirt.xml.spec import DomainSpec


def operating_system(spec: DomainSpec) -> Element:
    """Return what the machine is and how it starts. The boot order stands with the disks."""
    direct = spec.kernel_boot
    return element(
        'os',
        element('type', text='hvm', arch=spec.architecture, machine=spec.machine),
        element('kernel', text=direct.kernel) if direct else None,
        element('initrd', text=direct.ramdisk) if direct and direct.ramdisk else None,
        element('cmdline', text=direct.command_line) if direct else None,
        element('bootmenu', enable='yes') if spec.plan.boot_menu else None,
        element('smbios', mode='sysinfo') if spec.is_x86 else None,
        firmware='efi' if spec.plan.firmware == 'uefi' else None)


def sysinfo(spec: DomainSpec) -> Element | None:
    """Return the SMBIOS tables: what tells software in the guest where it runs and which server it is."""
    if not spec.is_x86:
        return None
    uuid = spec.instance.uuid
    entries = {'manufacturer': spec.manufacturer, 'product': spec.product, 'serial': uuid, 'uuid': uuid,
               'family': 'Virtual Machine'}
    return element('sysinfo', element('system', *(element('entry', name=name, text=text)
                                                  for name, text in entries.items() if text)), type='smbios')


def features(spec: DomainSpec) -> Element:
    """Return ACPI, without which a guest cannot be asked to shut down, and APIC."""
    return element('features', element('acpi'), element('apic') if spec.is_x86 else None)


def cpu(spec: DomainSpec) -> Element:
    """Return CPU model and topology."""
    shape = spec.plan.topology
    mode = None if spec.cpu.mode == 'none' else spec.cpu.mode
    flags = spec.cpu.flags if mode else ()
    return element(
        'cpu',
        element('model', text=spec.cpu.model, fallback='forbid') if spec.cpu.model else None,
        element('topology', sockets=shape.sockets, cores=shape.cores, threads=shape.threads),
        *(element('feature', policy='disable' if flag.startswith('-') else 'require', name=flag.lstrip('+-'))
          for flag in flags),
        mode=mode, match='exact' if mode == 'custom' else None,
        check='none' if mode in ('host-passthrough', 'maximum') else None)


def clock(spec: DomainSpec) -> Element:
    """Return the clock: UTC, or local time for Windows, and timers that catch up what the host made them miss."""
    image = spec.instance.image
    windows = image is not None and image.properties.get('os_type') == 'windows'
    return element(
        'clock',
        element('timer', name='pit', tickpolicy='delay') if spec.is_x86 else None,
        element('timer', name='rtc', tickpolicy='catchup') if spec.is_x86 else None,
        element('timer', name='hpet', present='yes' if spec.plan.hpet else 'no') if spec.is_x86 else None,
        offset='localtime' if windows else 'utc')


def cpu_tuning(spec: DomainSpec) -> Element | None:
    """Return CPU shares and ceilings of the flavor, if any."""
    limits = spec.plan.quota.cpu
    if not limits:
        return None
    return element('cputune', *(element(name, text=value) for name, value in sorted(limits.items())))
