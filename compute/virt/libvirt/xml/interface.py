"""Network interfaces: Neutron's binding answer in libvirt's words."""

from __future__ import annotations

from compute import exception
from compute.objects.nic import Nic
from compute.virt.libvirt.xml.element import Element, element


def interface(nic: Nic, model: str) -> Element:
    """Return one interface. :raises Failed: ``vif_type`` is one that this driver cannot plug."""
    make = _KINDS.get(nic.vif_type)
    if make is None:
        raise exception.Failed(
            f'port {nic.port_id}: vif_type {nic.vif_type!r} cannot be plugged here; it takes {", ".join(_KINDS)}',
            code='vif_unsupported')
    made = make(nic)
    made.insert(0, element('mac', address=nic.mac))
    made.append(element('model', type=model))
    if nic.mtu:
        made.append(element('mtu', size=nic.mtu))
    return made


def _tap(nic: Nic) -> Element:
    """The network agent made and wired the tap: libvirt shall only open it."""
    return element('interface', element('target', dev=nic.device, managed='no'), type='ethernet')


def _bridge(nic: Nic) -> Element:
    bridge = nic.vif_details.get('bridge_name')
    if not bridge:
        raise exception.Failed(f'port {nic.port_id}: the binding names no bridge_name', code='vif_unsupported')
    return element('interface', element('source', bridge=bridge), _target(nic), type='bridge')


def _ovs(nic: Nic) -> Element:
    """Open vSwitch finds the port by the interface id."""
    return element(
        'interface',
        element('source', bridge=nic.vif_details.get('bridge_name') or 'br-int'),
        element('virtualport', element('parameters', interfaceid=nic.port_id), type='openvswitch'),
        _target(nic), type='bridge')


def _target(nic: Nic) -> Element | None:
    return element('target', dev=nic.device) if nic.device else None


_KINDS = {'tap': _tap, 'bridge': _bridge, 'ovs': _ovs}
