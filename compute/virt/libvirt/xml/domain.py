"""A whole domain."""

from __future__ import annotations

from compute.virt.libvirt.xml import devices, disk, interface, metadata, system
from compute.virt.libvirt.xml.element import Element, element, to_text
from compute.virt.libvirt.xml.spec import DomainSpec


def domain(spec: DomainSpec) -> Element:
    """Return the domain as an element. :raises Failed: a network interface cannot be plugged."""
    instance, memory = spec.instance, spec.instance.flavor.memory_mb
    return element(
        'domain',
        element('name', text=instance.guest_name),
        element('uuid', text=instance.uuid),
        metadata.metadata(instance),
        element('memory', text=memory, unit='MiB'),
        element('currentMemory', text=memory, unit='MiB'),
        element('vcpu', text=instance.flavor.vcpus),
        system.cpu_tuning(spec),
        system.sysinfo(spec),
        system.operating_system(spec),
        system.features(spec),
        system.cpu(spec),
        system.clock(spec),
        element('on_poweroff', text='destroy'),
        element('on_reboot', text='restart'),
        element('on_crash', text='destroy'),
        element(
            'devices',
            *(disk.disk(spec, one) for one in spec.disks),
            *disk.controllers(spec),
            *(interface.interface(nic, spec.plan.vif_model) for nic in spec.nics),
            *devices.devices(spec)),
        type=spec.virt_type)


def domain_xml(spec: DomainSpec) -> str:
    """Return the domain as text for ``virDomainDefineXML``."""
    return to_text(domain(spec))
