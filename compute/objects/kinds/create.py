"""Create a server: choose and claim a host, wire its ports, fetch its image, start its guest.

A crash may leave a guest that runs, so spawning is undone before it is done again on the same host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from compute import states
from compute.objects.kinds.kind import ANY, ASK, BUILDS, CONDUCTOR, Guard, Kind, Stage, secret
from compute.objects.nic import NicRequest


@dataclass(frozen=True, kw_only=True)
class CreateArgs:
    """What was asked beside what the server's row holds. ``zone``, ``host`` and ``node`` restrict the choice."""

    nics: tuple[NicRequest, ...] = ()
    admin_pass: str | None = secret()
    zone: str | None = None
    host: str | None = None
    node: str | None = None


@dataclass(frozen=True, kw_only=True)
class CreatePlan:
    """Hosts to try next, hosts that failed, and the error of the last of them, an encoded ``OperationError``."""

    alternates: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    last_error: dict[str, Any] | None = None


CREATE = Kind[CreateArgs, CreatePlan](
    name='create', args=CreateArgs, plan=CreatePlan,
    guard=Guard(vm_states=ANY, task_states=ANY, needs_host=False, needs_launch=False),
    begins=CONDUCTOR, pool=BUILDS, loads_disk=True,
    stages=(
        Stage('scheduling', states.SCHEDULING, redo=True, at=CONDUCTOR),
        Stage('networking', states.NETWORKING, redo=True),
        Stage('block_device_mapping', states.BLOCK_DEVICE_MAPPING, redo=True),
        Stage('spawning', states.SPAWNING, redo=False)),
    deadline=1800, on_failure=ASK)
