"""AppArmor: libvirt confines each guest by a profile that it makes from the guest's disks."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, unknown, warning
from compute.cmd.doctor.machine import Machine

PROFILES = '/sys/kernel/security/apparmor/profiles'
_HELPER = '/etc/apparmor.d/usr.lib.libvirt.virt-aa-helper'
_LOCAL = '/etc/apparmor.d/local/usr.lib.libvirt.virt-aa-helper'
_READABLE = ('/var/lib/', '/srv/', '/opt/', '/mnt/', '/media/', '/home/', '/var/')


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Look whether it is on, whether libvirt's profiles are loaded, and whether they reach the folder of guests."""
    if (machine.read('/sys/module/apparmor/parameters/enabled') or 'N').strip() != 'Y':
        yield fine('AppArmor is off')
        return
    loaded = machine.read(PROFILES)
    if loaded is None:
        yield unknown('AppArmor is on; only root can see its profiles')
    elif 'libvirt' not in loaded:
        yield warning('AppArmor is on and has no profile of libvirt: guests are not confined',
                      'apt-get install apparmor apparmor-utils, then restart apparmor and libvirtd')
    else:
        yield fine('AppArmor is on, with the profiles of libvirt')
    path = conf.libvirt.instances_path
    if machine.exists(_HELPER) and not path.startswith(_READABLE) and path not in (machine.read(_LOCAL) or ''):
        yield failure(f'the profile of virt-aa-helper does not let it read [libvirt] instances_path, {path}: guests '
                      'with a backing image cannot start',
                      f'put "{path}/** r," into {_LOCAL}, then apparmor_parser -r {_HELPER}')
