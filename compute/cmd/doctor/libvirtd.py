"""libvirt: it answers, is new enough, and answers from its cache."""

from __future__ import annotations

import re
from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, warning
from compute.cmd.doctor.machine import Machine

OLDEST_LIBVIRT, OLDEST_QEMU = (8, 0), (6, 2)
SLOW = 1.0
"""Seconds for a question that libvirt answers from its cache in less than 0.2."""


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Query the version once and QEMU's capabilities twice."""
    virsh = ('virsh', '-c', conf.libvirt.connection_uri)
    told = machine.run(*virsh, 'version')
    if told.status == 127:
        yield failure('there is no virsh', 'apt-get install libvirt-clients libvirt-daemon-system qemu-system-x86')
        return
    if told.status != 0:
        yield failure(f'libvirt does not answer at {conf.libvirt.connection_uri}',
                      'systemctl enable --now libvirtd; see its journal')
        return
    yield from _versions(told.output)
    machine.run(*virsh, 'domcapabilities')
    again = machine.run(*virsh, 'domcapabilities')
    if again.status != 0:
        yield failure('libvirt cannot determine the capabilities of QEMU',
                      'apt-get install qemu-system-x86; see the journal of libvirtd')
    elif again.seconds > SLOW:
        yield warning(f'libvirt took {again.seconds:.1f} s to return the capabilities of QEMU a second time: it probes '
                      'QEMU at each call',
                      'see the check kvm; else remove /var/cache/libvirt/qemu/capabilities and restart libvirtd')
    else:
        yield fine('libvirt answers from its cache')


def _versions(text: str) -> Iterator[Diagnosis]:
    for name, pattern, oldest in (('libvirt', r'Using library: libvirt (\d+)\.(\d+)', OLDEST_LIBVIRT),
                                  ('QEMU', r'Running hypervisor: QEMU (\d+)\.(\d+)', OLDEST_QEMU)):
        found = re.search(pattern, text)
        if found is None:
            continue
        version = int(found[1]), int(found[2])
        shown = f'{name} is {version[0]}.{version[1]}'
        if version < oldest:
            yield failure(f'{shown}, older than {oldest[0]}.{oldest[1]}', f'install a newer {name}')
        else:
            yield fine(shown)
