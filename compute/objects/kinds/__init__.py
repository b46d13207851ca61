"""The declaration of each kind of operation, one module for each.

The registry is literal: what is not in it does not exist.
"""

from __future__ import annotations

from typing import Any

from compute.objects.kinds.confirm_resize import CONFIRM_RESIZE
from compute.objects.kinds.create import CREATE
from compute.objects.kinds.delete import DELETE
from compute.objects.kinds.kind import Guard, Kind, Stage
from compute.objects.kinds.migrate import MIGRATE
from compute.objects.kinds.pause import PAUSE
from compute.objects.kinds.reboot import HARD_REBOOT, REBOOT
from compute.objects.kinds.resize import RESIZE
from compute.objects.kinds.resume import RESUME
from compute.objects.kinds.revert_resize import REVERT_RESIZE
from compute.objects.kinds.start import START
from compute.objects.kinds.stop import STOP
from compute.objects.kinds.suspend import SUSPEND
from compute.objects.kinds.unpause import UNPAUSE

KINDS: dict[str, Kind[Any, Any]] = {kind.name: kind for kind in (
    CREATE, DELETE, START, STOP, REBOOT, HARD_REBOOT, PAUSE, UNPAUSE, SUSPEND, RESUME, RESIZE, MIGRATE, CONFIRM_RESIZE,
    REVERT_RESIZE)}


def kind_of(name: str) -> Kind[Any, Any]:
    """Return the declaration of a kind. :raises KeyError: there is none of that name."""
    return KINDS[name]


def verb_of(name: str) -> str:
    """Return the name that users see of what the ledger holds: also of actions that are done at once (lock)."""
    return KINDS[name].verb if name in KINDS else name


def without_secrets(name: str, args: dict[str, Any]) -> dict[str, Any]:
    """Return the stored arguments of an operation without secrets; none of a kind that this release does not know."""
    return KINDS[name].without_secrets(args) if name in KINDS else {}


__all__ = ['KINDS', 'Guard', 'Kind', 'Stage', 'kind_of', 'verb_of', 'without_secrets']
