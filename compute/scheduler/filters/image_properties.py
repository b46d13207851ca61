"""What an image says about the machine it needs: architecture, hypervisor and its version, kind of virtualisation."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence

from compute.objects import architecture
from compute.scheduler.filters.filter import Filter, number
from compute.scheduler.host_state import HostState
from compute.scheduler.request import Request

_HYPERVISOR = ('img_hv_type', 'hypervisor_type')
_VERSION = ('img_hv_requested_version', 'hypervisor_version_requires')
_VM_MODE = ('hw_vm_mode', 'vm_mode')
# Either name means QEMU under libvirt; whether it is accelerated is the host's affair.
_SAME_HYPERVISOR = {'kvm': 'qemu'}
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    '<': operator.lt, '<=': operator.le, '>': operator.gt, '>=': operator.ge, '=': operator.eq, '==': operator.eq,
    '!=': operator.ne}
_CONDITION = re.compile(r'\s*(<=|>=|==|!=|<|>|=)?\s*(\d+(?:\.\d+){0,2})\s*$')


class ImagePropertiesFilter(Filter):
    """Passes hosts that can run the image."""

    hint = 'choose another image, or correct its properties'

    def applies(self, request: Request) -> bool:
        return any(request.image.get(name) for name in (*architecture.PROPERTIES, *_HYPERVISOR, *_VERSION, *_VM_MODE))

    def check(self, host: HostState, request: Request) -> str | None:
        image = request.image
        return (_one_of('architecture', _wanted(image, architecture.PROPERTIES, architecture.SPELLINGS),
                        host.architectures)
                or _one_of('hypervisor', _wanted(image, _HYPERVISOR, _SAME_HYPERVISOR), (host.hypervisor_type,))
                or _one_of('VM mode', _wanted(image, _VM_MODE, {}), host.vm_modes)
                or _version(_wanted(image, _VERSION, {}), host.hypervisor_version))

    def summary(self, dropped: Sequence[HostState], request: Request) -> str:
        return number(len(dropped), 'cannot run this image', 'cannot run this image') + f' (it needs {_all(request)})'


def _all(request: Request) -> str:
    named = (('architecture', architecture.PROPERTIES), ('hypervisor', _HYPERVISOR), ('hypervisor version', _VERSION),
             ('VM mode', _VM_MODE))
    wanted = ((label, _wanted(request.image, names, {})) for label, names in named)
    return ', '.join(f'{label} {value}' for label, value in wanted if value)


def _wanted(image: Mapping[str, str], names: tuple[str, ...], spellings: Mapping[str, str]) -> str:
    value = next((str(image[name]) for name in names if image.get(name)), '').strip().lower()
    return spellings.get(value, value)


def _one_of(label: str, wanted: str, offered: tuple[str, ...]) -> str | None:
    if not wanted:
        return None
    known = {_SAME_HYPERVISOR.get(each.lower(), each.lower()) for each in offered}
    if wanted in known:
        return None
    return f'has {label} {", ".join(offered) or "none"}, the image needs {wanted}'


def _version(condition: str, version: int) -> str | None:
    """Check conditions such as ``>=6.0,<9``; libvirt counts 9.1.2 as 9001002."""
    shown = f'{version // 1000000}.{version // 1000 % 1000}.{version % 1000}'
    for part in condition.split(',') if condition else ():
        match = _CONDITION.match(part)
        if match is None:
            return f'cannot tell: the image asks for hypervisor version {part.strip()!r}, which is no condition'
        numbers = [int(each) for each in match[2].split('.')] + [0, 0]
        if not _COMPARE[match[1] or '='](version, numbers[0] * 1000000 + numbers[1] * 1000 + numbers[2]):
            return f'has hypervisor version {shown}, the image needs {part.strip()}'
    return None
