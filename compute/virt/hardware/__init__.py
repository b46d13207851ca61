"""What hardware a guest gets, from its flavor and its image: pure functions, no hypervisor, no I/O.

``plan(instance)`` reads every property that means hardware, checks it, and returns one value that a driver turns into
its own language. Properties that nothing here knows are left alone: images carry many that are for others.
"""

from __future__ import annotations

from compute.virt.hardware.devices import Plan, plan
from compute.virt.hardware.nic import check_bound
from compute.virt.hardware.quota import Quota
from compute.virt.hardware.topology import Topology

__all__ = ['Plan', 'Quota', 'Topology', 'check_bound', 'plan']
