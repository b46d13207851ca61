"""What the host has, from libvirt, /proc and the file system that holds the disks."""

from __future__ import annotations

import os
import pathlib
import socket
import time
from typing import Any

import libvirt

from compute.objects.host import Inventory
from compute.virt.libvirt.capabilities import Capabilities
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.paths import Paths

_GIB = 1024 ** 3
# libvirt's names of CPU features, and the standard traits that say the same.
_CPU_TRAITS = {
    'aes': 'AESNI', 'avx': 'AVX', 'avx2': 'AVX2', 'bmi1': 'BMI', 'bmi2': 'BMI2', 'f16c': 'F16C', 'fma': 'FMA3',
    'mmx': 'MMX', 'pclmuldq': 'CLMUL', 'sha-ni': 'SHA', 'sse': 'SSE', 'sse2': 'SSE2', 'pni': 'SSE3', 'ssse3': 'SSSE3',
    'sse4.1': 'SSE41', 'sse4.2': 'SSE42', 'svm': 'SVM', 'vmx': 'VMX', 'avx512f': 'AVX512F',
}
_TRAITS = tuple(f'COMPUTE_IMAGE_TYPE_{name}' for name in ('AKI', 'AMI', 'ARI', 'QCOW2', 'RAW'))


def inventory(host: Host, capabilities: Capabilities, paths: Paths) -> Inventory:
    """Return what the host has now."""
    node, vcpus, memory_kb, version = host.run(_numbers)
    space = os.statvfs(paths.root)
    cpu = cpu_info(capabilities)
    return Inventory(
        node=node, vcpus=vcpus, memory_mb=memory_kb // 1024,
        disk_gb=space.f_blocks * space.f_frsize // _GIB, free_disk_gb=space.f_bavail * space.f_frsize // _GIB,
        hypervisor_type='QEMU', hypervisor_version=version, architectures=capabilities.architectures(),
        host_ip=host_ip(), cpu_info=cpu, traits=traits(cpu), uptime=uptime())


def _numbers(connection: Any) -> tuple[str, int, int, int]:
    # getInfo() knows memory as well, but misses what was plugged in after the host booted.
    memory = connection.getMemoryStats(libvirt.VIR_NODE_MEMORY_STATS_ALL_CELLS)['total']
    return connection.getHostname(), connection.getInfo()[2], memory, connection.getVersion()


def cpu_info(capabilities: Capabilities) -> dict[str, object]:
    """Return the host's CPU as the hypervisors API shows it."""
    cpu = capabilities.document().find('host/cpu')
    if cpu is None:
        return {'arch': capabilities.architecture()}
    shape = cpu.find('topology')
    return {
        'arch': capabilities.architecture(),
        'model': cpu.findtext('model') or '',
        'vendor': cpu.findtext('vendor') or '',
        'topology': {name: int(shape.get(name, '1')) for name in ('sockets', 'cores', 'threads')}
        if shape is not None else {},
        'features': sorted(str(feature.get('name')) for feature in cpu.findall('feature'))}


def traits(cpu: dict[str, object]) -> tuple[str, ...]:
    """Return standard traits: image formats that can be booted, CPU features."""
    features = cpu.get('features')
    names = features if isinstance(features, list) else []
    found = {f'HW_CPU_X86_{_CPU_TRAITS[name]}' for name in names if name in _CPU_TRAITS}
    return (*_TRAITS, *sorted(found))


def host_ip() -> str:
    """Return the address from which this host reaches others; nothing is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('192.0.2.1', 9))
            return str(probe.getsockname()[0])
        except OSError:
            return '127.0.0.1'


def uptime(proc: pathlib.Path = pathlib.Path('/proc')) -> str:
    """Return time, uptime and load as the command of that name prints them."""
    seconds = int(float((proc / 'uptime').read_text().split()[0]))
    days, rest = divmod(seconds, 86400)
    load = ', '.join((proc / 'loadavg').read_text().split()[:3])
    return (f'{time.strftime("%H:%M:%S")} up {f"{days} days, " if days else ""}{rest // 3600}:{rest % 3600 // 60:02d}, '
            f'load average: {load}')
