"""Delete a server: guest, ports, claim, quota. Every stage is idempotent, and failures are retried until the deadline.

The conductor is notified first: a server without a host, or whose host is down, is deleted without one.
"""

from __future__ import annotations

from dataclasses import dataclass

from compute import states
from compute.objects.kinds.kind import ALL, ANY, ASK, CONDUCTOR, GO_ON, RELEASE, Guard, Kind, Stage
from compute.objects.nic import NicRequest


@dataclass(frozen=True, kw_only=True)
class DeleteArgs:
    """The ports that an unfinished creation was asked for: those of the user are released, not deleted."""

    nics: tuple[NicRequest, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeletePlan:
    """Hosts that are still to remove what they have of the server: it may be on the way between two."""

    hosts: tuple[str, ...] = ()


DELETE = Kind[DeleteArgs, DeletePlan](
    name='delete', args=DeleteArgs, plan=DeletePlan,
    guard=Guard(vm_states=ANY, task_states=ANY, needs_host=False),
    begins=CONDUCTOR, supersedes=ALL, claim=RELEASE,
    stages=(Stage('deleting', states.DELETING, redo=True), Stage('releasing', states.DELETING, redo=True)),
    deadline=1800, on_failure=ASK, survives_host_down=GO_ON)
