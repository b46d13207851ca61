"""Linux capabilities of this process: which there are, giving them up, passing them on to programs that it starts.

The agent need not be root: systemd starts it with a few *ambient* capabilities. A process that drops or takes some
(oslo.privsep does) has no ambient ones afterwards, and a program started by another user than root would have none.
Capabilities are a thread's, not a process's: threads that are made later have those of the thread that made them.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

from oslo_privsep import capabilities

PR_CAP_AMBIENT, RAISE, CLEAR_ALL = 47, 2, 4
MAKING = (capabilities.CAP_NET_ADMIN, capabilities.CAP_NET_BIND_SERVICE, capabilities.CAP_NET_RAW,
          capabilities.CAP_SYS_ADMIN)
"""What it takes to make interfaces, namespaces and packet filters, and to run dnsmasq."""
AS_ROOT = (capabilities.CAP_DAC_OVERRIDE, capabilities.CAP_KILL, capabilities.CAP_SYS_PTRACE)
"""What root needs besides, since dnsmasq then runs as another user."""


def held() -> set[int]:
    """Return what this thread may use."""
    with open('/proc/thread-self/status', encoding='ascii') as status:
        mask = next(int(line.split()[1], 16) for line in status if line.startswith('CapPrm:'))
    return {number for number in range(64) if mask >> number & 1}


def enough() -> bool:
    """Tell whether this thread has all of ``MAKING``."""
    return set(MAKING) <= held()


def give_up() -> None:
    """Drop all capabilities of this thread, for good. Not root's, who would get them back with any program it runs."""
    if os.geteuid():
        _ambient(CLEAR_ALL, 0)
        capabilities.drop_all_caps_except([], [], [])


def pass_on() -> None:
    """Let programs that this thread and its later threads start have what it has. Root's have that anyway."""
    if os.geteuid():
        numbers = held()
        capabilities.drop_all_caps_except(numbers, numbers, numbers)
        for number in numbers:
            _ambient(RAISE, number)


def wanted() -> list[int]:
    """Return what the privileged process keeps of what it was started with."""
    return sorted({*MAKING, *(() if os.geteuid() else AS_ROOT)} & held())


def names(numbers: Iterable[int]) -> str:
    """Return capabilities as words."""
    return ', '.join(str(capabilities.CAPS_BYVALUE.get(number, number)) for number in sorted(numbers))


def _ambient(operation: int, number: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_CAP_AMBIENT, operation, number, 0, 0):
        error = ctypes.get_errno()
        raise OSError(error, f'ambient capabilities: {os.strerror(error)}')
