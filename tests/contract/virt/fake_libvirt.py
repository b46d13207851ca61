"""As much of a libvirtd as the driver's files need, in memory: domains that are defined, started and forgotten.

It starts no QEMU. What libvirt really does is seen in ``tests/real/test_libvirt_driver.py``.
"""

from __future__ import annotations

import pathlib
from typing import Any
from xml.etree import ElementTree

import libvirt

from compute.virt.libvirt.driver import LibvirtDriver
from compute.virt.libvirt.xml.metadata import NAMESPACE
from tests.contract.virt.making import make_conf

_CAPABILITIES = '<capabilities><host><cpu><arch>x86_64</arch></cpu></host></capabilities>'


def make_driver(root: pathlib.Path, connection: Connection, host: str = 'host-1') -> LibvirtDriver:
    """Return the driver of a worker that has just started, with the folder of its guests."""
    driver = LibvirtDriver(make_conf(libvirt={'instances_path': str(root), 'virt_type': 'qemu', 'cpu_mode': 'none'}),
                           host)
    driver._host._connection = connection
    driver._paths.make()
    driver._images.clean()
    driver.moves.clean()
    return driver


class Connection:
    """The connection, and the host behind it."""

    def __init__(self) -> None:
        self.domains: dict[str, Domain] = {}

    def lookupByUUIDString(self, uuid: str) -> Domain:  # noqa: N802
        """Return a domain."""
        if uuid not in self.domains:
            raise _error(libvirt.VIR_ERR_NO_DOMAIN, 'Domain not found')
        return self.domains[uuid]

    def listAllDomains(self, _flags: int) -> list[Domain]:  # noqa: N802
        """Return all domains."""
        return list(self.domains.values())

    def defineXML(self, document: str) -> None:  # noqa: N802
        """Add a domain, or change it."""
        root = ElementTree.fromstring(document)
        uuid = str(root.findtext('uuid'))
        known = self.domains.get(uuid)
        if known is None:
            known = self.domains[uuid] = Domain(self, root)
        known.root = root

    def getCapabilities(self) -> str:  # noqa: N802
        """Return what the driver reads of them."""
        return _CAPABILITIES


class Domain:
    """A domain that runs or not."""

    def __init__(self, connection: Connection, root: ElementTree.Element) -> None:
        self._connection, self.root, self.active = connection, root, False

    def UUIDString(self) -> str:  # noqa: N802
        """Return its uuid."""
        return str(self.root.findtext('uuid'))

    def name(self) -> str:
        """Return its name."""
        return str(self.root.findtext('name'))

    def info(self) -> tuple[int, int, int, int, int]:
        """Return state, memory twice, processors and time."""
        memory = self.root.find('memory')
        assert memory is not None
        unit = {'KiB': 1, 'MiB': 1024}[memory.get('unit', 'KiB')]
        size = int(str(memory.text)) * unit
        return self.state(0)[0], size, size, int(str(self.root.findtext('vcpu'))), 0

    def state(self, _flags: int) -> tuple[int, int]:
        """Return state and reason."""
        return (libvirt.VIR_DOMAIN_RUNNING if self.active else libvirt.VIR_DOMAIN_SHUTOFF), 0

    def metadata(self, _kind: int, uri: str, _flags: int) -> str:
        """Return what the controller left there."""
        found = self.root.find(f'metadata/{{{uri}}}*')
        if uri != NAMESPACE or found is None:
            raise _error(libvirt.VIR_ERR_NO_DOMAIN_METADATA, 'Requested metadata element is not present')
        return ElementTree.tostring(found, encoding='unicode')

    def XMLDesc(self, _flags: int) -> str:  # noqa: N802
        """Return its description; a display has a port while it runs."""
        for graphics in self.root.findall('devices/graphics'):
            graphics.set('port', str(5900 + sorted(self._connection.domains).index(self.UUIDString()))
                         if self.active else '-1')
        return ElementTree.tostring(self.root, encoding='unicode')

    def isActive(self) -> bool:  # noqa: N802
        """Return whether it runs."""
        return self.active

    def createWithFlags(self, _flags: int) -> None:  # noqa: N802
        """Start it."""
        self.active = True

    def destroy(self) -> None:
        """Cut its power."""
        self.active = False

    def undefineFlags(self, _flags: int) -> None:  # noqa: N802
        """Forget it."""
        del self._connection.domains[self.UUIDString()]


def _error(code: int, message: str) -> Any:
    error = libvirt.libvirtError(message)
    error.err = (code, libvirt.VIR_FROM_QEMU, message, 2, None, None, None, 0, 0)
    return error
