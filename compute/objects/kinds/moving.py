"""What the kinds that move a server share: what was asked, where it goes, and the stages on the way.

The source stops the guest and sets its disks aside; the destination fetches them, makes the guest and starts it if it
ran. Until the move is confirmed the source keeps the disks, so that it can be reverted.
"""

from __future__ import annotations

from dataclasses import dataclass

from compute import states
from compute.objects.flavor import Flavor
from compute.objects.kinds.kind import CONDUCTOR, DESTINATION, SOURCE, Guard, Stage, secret
from compute.objects.transfer import Offer


@dataclass(frozen=True, kw_only=True)
class MoveArgs:
    """The flavor that the server has after the move, the vm_state to which it returns, and a requested host."""

    flavor: Flavor
    vm_state: str
    host: str | None = None


@dataclass(frozen=True, kw_only=True)
class MoveCarry:
    """Where the destination fetches the files of the server; None where it has none, or stays on its host."""

    offer: Offer | None = secret()


@dataclass(frozen=True, kw_only=True)
class MovePlan:
    """The hosts of a move. They may be the same: then only the size changes.

    :param destination_address: from which the destination fetches files. :param offer: see ``MoveCarry``.
    """

    source: str | None = None
    destination: str | None = None
    destination_address: str | None = None
    offer: Offer | None = secret()


MOVE_GUARD = Guard(vm_states=(states.ACTIVE, states.STOPPED), needs_host_up=True)
MOVE_STAGES = (
    Stage('resize_prep', states.RESIZE_PREP, redo=True, at=CONDUCTOR),
    Stage('resize_migrating', states.RESIZE_MIGRATING, redo=True, at=SOURCE, undo=True),
    Stage('resize_migrated', states.RESIZE_MIGRATED, redo=True, at=DESTINATION, undo=True),
    Stage('resize_finish', states.RESIZE_FINISH, redo=False, at=DESTINATION, undo=True),
)
MOVE_DEADLINE = 7200
