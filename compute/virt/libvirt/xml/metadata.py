"""Our mark on a domain, and what an operator who looks with virsh wants to know.

A domain that carries the element is ours; any other on the host belongs to somebody else. It says nothing that changes
while the guest runs, and nothing about which process started it.
"""

from __future__ import annotations

from xml.etree import ElementTree

from compute.objects.instance import Instance
from compute.virt.libvirt.xml.element import Element, element

NAMESPACE = 'urn:compute:instance:1'
ElementTree.register_namespace('compute', NAMESPACE)


def metadata(instance: Instance) -> Element:
    """Return the metadata element of a domain."""
    flavor = instance.flavor
    return element('metadata', element(
        _ours('instance'),
        element(_ours('name'), text=instance.name),
        element(_ours('flavor'), name=flavor.name, id=flavor.flavorid, vcpus=flavor.vcpus, memory_mb=flavor.memory_mb,
                root_gb=flavor.root_gb, ephemeral_gb=flavor.ephemeral_gb, swap_mb=flavor.swap_mb),
        element(_ours('project'), id=instance.project_id),
        element(_ours('user'), id=instance.user_id),
        element(_ours('image'), id=instance.image.id) if instance.image else None))


def is_ours(domain: Element) -> bool:
    """Tell whether a parsed domain carries our mark."""
    return domain.find(f'metadata/{_ours("instance")}') is not None


def _ours(tag: str) -> str:
    return f'{{{NAMESPACE}}}{tag}'
