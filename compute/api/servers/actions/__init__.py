"""What is done to a server by POST /servers/{id}/action, one file for each."""

from __future__ import annotations

from compute.api.servers.actions import (
    confirm_resize,
    console_output,
    force_delete,
    lock,
    migrate,
    pause,
    reboot,
    resize,
    resume,
    revert_resize,
    start,
    stop,
    suspend,
    unlock,
    unpause,
)
from compute.rest.op import Op

ACTIONS: tuple[Op, ...] = (
    start.OP, stop.OP, reboot.OP, pause.OP, unpause.OP, suspend.OP, resume.OP, resize.OP, confirm_resize.OP,
    revert_resize.OP, migrate.OP, force_delete.OP, lock.OP, unlock.OP, console_output.OP)
