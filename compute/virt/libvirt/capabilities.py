"""What libvirt says this host can do, and what follows for guests: KVM or QEMU, which CPU, which machine type."""

from __future__ import annotations

import functools
import logging
import platform
import threading
from dataclasses import dataclass
from xml.etree import ElementTree

from oslo_config import cfg

from compute import exception
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.xml.spec import Cpu

LOG = logging.getLogger(__name__)
_X86 = ('x86_64', 'i686')
_NATIVE = {'x86_64': ('x86_64', 'i686'), 'aarch64': ('aarch64', 'armv7l')}


@dataclass(frozen=True, kw_only=True)
class Platform:
    """How one guest is run."""

    virt_type: str
    architecture: str
    machine: str | None
    cpu: Cpu


class Capabilities:
    """Answers about the host; asked once, since they change only with its software."""

    def __init__(self, conf: cfg.ConfigOpts, host: Host) -> None:
        self._conf, self._host = conf.libvirt, host
        self._lock = threading.Lock()
        self._document: ElementTree.Element | None = None
        self._virt_type: str | None = None
        self._cpu_cache: dict[tuple[str, str, str | None], Cpu] = {}

    def document(self) -> ElementTree.Element:
        """Return libvirt's capabilities."""
        with self._lock:
            if self._document is None:
                self._document = ElementTree.fromstring(
                    self._host.run(lambda connection: connection.getCapabilities()))
            return self._document

    def architecture(self) -> str:
        """Return the architecture of the host."""
        return self.document().findtext('host/cpu/arch') or platform.machine()

    def architectures(self) -> tuple[str, ...]:
        """Return the architectures that guests may have, the host's first."""
        own = self.architecture()
        found = [str(arch.get('name')) for arch in self.document().findall('guest/arch')]
        return (own, *(name for name in found if name != own))

    def platform(self, architecture: str | None, machine: str | None) -> Platform:
        """Return how to run a guest. :raises Failed: the configuration asks for what this host cannot do."""
        own = self.architecture()
        architecture = architecture or own
        machine = machine or self._conf.machine_type or ('pc' if architecture in _X86 else None)
        native = architecture in _NATIVE.get(own, (own,))
        virt_type = self.virt_type() if native else 'qemu'
        return Platform(virt_type=virt_type, architecture=architecture, machine=machine,
                        cpu=self._cpu(virt_type, architecture, machine) if native else Cpu())

    # -- KVM or QEMU --

    def virt_type(self) -> str:
        """Return ``kvm`` or ``qemu``."""
        if self._virt_type is None:
            self._virt_type = self._choose_virt_type()
            LOG.info('guests run under %s', self._virt_type)
        return self._virt_type

    def _choose_virt_type(self) -> str:
        wanted = str(self._conf.virt_type)
        if wanted == 'qemu':
            return wanted
        own = self.architecture()
        try:
            self._domain_capabilities('kvm', own, None)
        except exception.Failed as error:
            if wanted == 'kvm':
                raise exception.Failed(f'[libvirt] virt_type is kvm, which this host cannot do: {error.message}',
                                       code='kvm_missing', hint='set it to auto or qemu') from error
            return 'qemu'
        if wanted == 'auto' and own == 'x86_64' and not cpu_virtualises():
            # Some sandboxes have a /dev/kvm that starts guests and fails them at their first unusual instruction.
            LOG.warning('/dev/kvm is there but the CPU shows neither vmx nor svm: QEMU is used')
            return 'qemu'
        return 'kvm'

    # -- CPU --

    def _cpu(self, virt_type: str, architecture: str, machine: str | None) -> Cpu:
        key = virt_type, architecture, machine
        if key not in self._cpu_cache:
            self._cpu_cache[key] = self._choose_cpu(*key)
        return self._cpu_cache[key]

    def _choose_cpu(self, virt_type: str, architecture: str, machine: str | None) -> Cpu:
        mode, flags = str(self._conf.cpu_mode), tuple(self._conf.cpu_model_extra_flags)
        if mode == 'none':
            return Cpu()
        found = self._domain_capabilities(virt_type, architecture, machine)
        if mode == 'auto':
            mode = 'host-model' if virt_type == 'kvm' else 'maximum'
            return Cpu(mode=mode, flags=flags) if _supports(found, mode) else Cpu()
        if not _supports(found, mode):
            raise exception.Failed(f'[libvirt] cpu_mode is {mode}, which {virt_type} on this host cannot do',
                                   code='cpu_mode')
        return Cpu(mode=mode, model=self._model(found) if mode == 'custom' else None, flags=flags)

    def _model(self, found: ElementTree.Element) -> str:
        usable = [model.text for model in found.findall("cpu/mode[@name='custom']/model")
                  if model.get('usable') != 'no']
        for model in self._conf.cpu_models:
            if model in usable:
                return str(model)
        raise exception.Failed(f'none of [libvirt] cpu_models ({", ".join(self._conf.cpu_models) or "empty"}) can run '
                               f'on this host', code='cpu_mode', hint='see virsh domcapabilities')

    def _domain_capabilities(self, virt_type: str, architecture: str, machine: str | None) -> ElementTree.Element:
        return ElementTree.fromstring(self._host.run(
            lambda connection: connection.getDomainCapabilities(None, architecture, machine, virt_type)))


def _supports(found: ElementTree.Element, mode: str) -> bool:
    entry = found.find(f"cpu/mode[@name='{mode}']")
    return entry is not None and entry.get('supported') == 'yes'


@functools.cache
def cpu_virtualises(path: str = '/proc/cpuinfo') -> bool:
    """Tell whether the CPU of an x86 host shows hardware virtualisation."""
    with open(path, encoding='ascii', errors='replace') as file:
        flags = next((line.split() for line in file if line.startswith('flags')), [])
    return 'vmx' in flags or 'svm' in flags
