"""KVM: without it guests run under QEMU's emulation, many times slower."""

from __future__ import annotations

from collections.abc import Iterator

from oslo_config import cfg

from compute.cmd.doctor.diagnosis import Diagnosis, failure, fine, unknown, warning
from compute.cmd.doctor.machine import Machine

DEVICE = '/dev/kvm'
_FLAGS = {'vmx': 'kvm_intel', 'svm': 'kvm_amd'}
_RULE = 'KERNEL=="kvm", GROUP="kvm", MODE="0660"'
_LIKE_UDEV = (f'chown root:kvm {DEVICE} && chmod 0660 {DEVICE}, as Debian\'s udev rule does; to keep it so, put the '
              f'line {_RULE} into /etc/udev/rules.d/60-kvm.rules')


def look(machine: Machine, conf: cfg.ConfigOpts) -> Iterator[Diagnosis]:
    """Check the device, its permissions, the processor and nested virtualisation."""
    if not machine.exists(DEVICE):
        yield _absent(machine, conf)
        return
    yield _access(machine)
    if error := machine.kvm_error():
        yield warning(f'{DEVICE} makes no virtual machine ({error}): guests run under emulation', _why(machine))
    elif _flag(machine) is None and 'flags' in (machine.read('/proc/cpuinfo') or ''):
        yield warning('KVM makes virtual machines, but the processor shows neither vmx nor svm: guests may not boot',
                      'start a guest; where it does not boot, set [libvirt] virt_type = qemu')
    else:
        yield fine('KVM makes virtual machines')
        yield from _nested(machine)


def _absent(machine: Machine, conf: cfg.ConfigOpts) -> Diagnosis:
    found = f'there is no {DEVICE}'
    if conf.libvirt.virt_type == 'kvm':
        return failure(f'{found}, and [libvirt] virt_type is kvm: no guest can start', _why(machine))
    return warning(f'{found}: guests run under emulation', _why(machine))


def _access(machine: Machine) -> Diagnosis:
    user, group, mode = machine.owner(DEVICE)
    found = f'{DEVICE} is {user}:{group} {mode:04o}'
    if mode & 0o006 == 0o006 or (group == 'kvm' and mode & 0o060 == 0o060):
        return fine(found)
    return failure(f'{found}: QEMU\'s user cannot open it while root can, so libvirt probes QEMU anew at each call, '
                   'which makes a boot many times slower', _LIKE_UDEV)


def _flag(machine: Machine) -> str | None:
    words = set((machine.read('/proc/cpuinfo') or '').split())
    return next((flag for flag in _FLAGS if flag in words), None)


def _why(machine: Machine) -> str:
    """Return the remedy for missing KVM."""
    flag = _flag(machine)
    if flag is not None:
        return f'modprobe {_FLAGS[flag]}; see dmesg for why the module refuses'
    if 'hypervisor' in (machine.read('/proc/cpuinfo') or '').split():
        return ('the processor shows no vmx or svm, since this machine is itself a virtual one: switch nested '
                'virtualisation on where it runs, or accept emulation with [libvirt] virt_type = qemu')
    return 'switch virtualisation (Intel VT-x, AMD-V) on in the firmware of this machine'


def _nested(machine: Machine) -> Iterator[Diagnosis]:
    flag = _flag(machine)
    if flag is None:
        return
    value = machine.read(f'/sys/module/{_FLAGS[flag]}/parameters/nested')
    if value is None:
        yield unknown('it is unknown whether guests may use KVM (nested virtualisation)')
    elif value.strip() in ('1', 'Y'):
        yield fine('guests may use KVM themselves (nested virtualisation)')
    else:
        yield fine(f'guests may not use KVM themselves: option {_FLAGS[flag]} nested=1 allows it')
