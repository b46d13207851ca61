"""The auditor: what must hold, always, looked at from outside of those who keep it.

One check a file, listed here. Each owns some codes; a code never changes its meaning. ``auditor.py`` looks twice and
fixes what it is told to; ``compute-manage audit`` and the conductor's periodic task run it.
"""

from __future__ import annotations

from compute.conductor.audit.capacity import Capacity
from compute.conductor.audit.check import Check, Rule
from compute.conductor.audit.deadlines import Deadlines
from compute.conductor.audit.events import Events
from compute.conductor.audit.guests import Guests
from compute.conductor.audit.ports import Ports
from compute.conductor.audit.quota import Quota
from compute.conductor.audit.shown import Shown
from compute.conductor.audit.wires import Wires

CHECKS: tuple[type[Check], ...] = (
    Deadlines,
    Shown,
    Events,
    Capacity,
    Quota,
    Ports,
    Guests,
    Wires,
)

RULES: dict[str, Rule] = {code: rule for check in CHECKS for code, rule in check.rules.items()}
