"""Revert a resize or a cold migration: the new place is cleaned, and the source starts the server as it was."""

from __future__ import annotations

from dataclasses import dataclass

from compute import states
from compute.objects.flavor import Flavor
from compute.objects.kinds.kind import CONDUCTOR, DESTINATION, MOVES, SOURCE, Guard, Kind, NoArgs, Stage
from compute.objects.kinds.moving import MovePlan


@dataclass(frozen=True, kw_only=True)
class RevertArgs:
    """The flavor and the vm_state that the server had before."""

    flavor: Flavor
    vm_state: str


REVERT_RESIZE = Kind[RevertArgs, MovePlan](
    name='revert_resize', action='revertResize', args=RevertArgs, plan=MovePlan, carry=NoArgs,
    guard=Guard(vm_states=(states.RESIZED,), needs_host_up=True), begins=CONDUCTOR, pool=MOVES, deadline=1800,
    stages=(Stage('resize_reverting', states.RESIZE_REVERTING, redo=True, at=DESTINATION),
            Stage('resize_restoring', states.RESIZE_REVERTING, redo=True, at=SOURCE)))
