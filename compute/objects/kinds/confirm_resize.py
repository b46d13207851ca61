"""Confirm a resize or a cold migration: what the source kept for a reversal is removed.

A source without heartbeat does not keep the server from its new place: what it kept is removed when it returns.
"""

from __future__ import annotations

from dataclasses import dataclass

from compute import states
from compute.objects.kinds.kind import CONDUCTOR, GO_ON, MOVES, SOURCE, Guard, Kind, NoArgs, Stage
from compute.objects.kinds.moving import MovePlan


@dataclass(frozen=True, kw_only=True)
class ConfirmArgs:
    """The vm_state that the server had before."""

    vm_state: str


CONFIRM_RESIZE = Kind[ConfirmArgs, MovePlan](
    name='confirm_resize', action='confirmResize', args=ConfirmArgs, plan=MovePlan, carry=NoArgs,
    guard=Guard(vm_states=(states.RESIZED,), needs_host=False), begins=CONDUCTOR, pool=MOVES, deadline=1800,
    survives_host_down=GO_ON,
    stages=(Stage('resize_confirming', states.RESIZE_CONFIRMING, redo=True, at=SOURCE),))
