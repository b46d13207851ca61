"""The doctor: looks for a slow or broken set-up of this machine and names the remedy. ``compute-status check`` runs it.

One subject a file, listed here. A check reads the machine through ``machine.Machine`` and the services through the
addresses of the configuration; it changes nothing. Checks of hypervisor hosts are left out where no guests run.
"""

from __future__ import annotations

from compute.cmd.doctor import (
    apparmor,
    broker,
    certificates,
    control_groups,
    databases,
    disk_space,
    kvm,
    libvirtd,
    name_resolution,
    network,
    state_folder,
    time_sync,
)
from compute.cmd.doctor.diagnosis import Check

CHECKS: tuple[Check, ...] = (
    Check('kvm', kvm.look, host=True),
    Check('libvirt', libvirtd.look, host=True),
    Check('control-groups', control_groups.look, host=True),
    Check('apparmor', apparmor.look, host=True),
    Check('state-folder', state_folder.look, host=True),
    Check('disk-space', disk_space.look),
    Check('network', network.look, host=True),
    Check('time', time_sync.look),
    Check('names', name_resolution.look),
    Check('broker', broker.look),
    Check('databases', databases.look),
    Check('certificates', certificates.look),
)
