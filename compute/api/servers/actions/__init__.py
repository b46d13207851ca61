"""What is done to a server by POST /servers/{id}/action, one file for each."""

from __future__ import annotations

from compute.api.servers.actions import console_output, force_delete, lock, reboot, start, stop, unlock
from compute.rest.op import Op

ACTIONS: tuple[Op, ...] = (start.OP, stop.OP, reboot.OP, force_delete.OP, lock.OP, unlock.OP, console_output.OP)
