"""Shares and ceilings that a flavor's ``quota:`` extra specs give a guest: CPU time and disk traffic."""

from __future__ import annotations

from dataclasses import dataclass, field

from compute.objects.instance import Instance
from compute.virt.hardware import properties

_BIG = 2 ** 53
_CPU = {'cpu_shares': (2, 262144), 'cpu_period': (1000, 1000000), 'cpu_quota': (1000, _BIG)}
_DISK = tuple(f'{way}_{what}_sec' for way in ('total', 'read', 'write') for what in ('bytes', 'iops'))


@dataclass(frozen=True)
class Quota:
    """``cpu``: shares, period and quota (microseconds). ``disk``: ``total_bytes_sec`` and the like, for each disk."""

    cpu: dict[str, int] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)


def quota(instance: Instance) -> Quota:
    """Return the ceilings of an instance; empty where the flavor names none. :raises Failed: one is no number."""
    flavor = properties.of_flavor(instance)
    cpu = {name.removeprefix('cpu_'): flavor.number(f'quota:{name}', *limits) for name, limits in _CPU.items()}
    disk = {name: flavor.number(f'quota:disk_{name}', 1, _BIG) for name in _DISK}
    return Quota({name: value for name, value in cpu.items() if value is not None},
                 {name: value for name, value in disk.items() if value is not None})
