"""Reboot a server: softly by asking the guest, or hard by cutting its power."""

from __future__ import annotations

from compute import states
from compute.context import RequestContext
from compute.control import operation
from compute.control.cloud import Cloud
from compute.objects.instance import Instance
from compute.objects.kinds import reboot as kind
from compute.objects.operation import Operation, Work
from compute.rpc.worker import Reboot

SOFT, HARD = 'SOFT', 'HARD'
GUARDS = {
    SOFT: operation.Guard(vm_states=states.ALLOW_SOFT_REBOOT),
    HARD: operation.Guard(vm_states=states.ALLOW_HARD_REBOOT, task_states=states.ALLOW_REBOOT_TASKS),
}
FIRST = {SOFT: 'rebooting', HARD: 'rebooting_hard'}


def reboot(cloud: Cloud, context: RequestContext, instance: Instance, how: str) -> Operation:
    """Begin to reboot a server (``how`` SOFT or HARD). :raises Conflict: its state does not allow it.

    A hard reboot may follow a soft one that hangs; the soft one then ends as cancelled.
    """
    return operation.run(cloud, context, instance, kind.KIND, GUARDS[how], send, args={'type': how}, first=FIRST[how],
                         supersedes=how == HARD)


def send(cloud: Cloud, context: RequestContext, work: Work) -> None:
    """Tell the server's host."""
    cloud.rpc.client(Reboot, work.operation.host).reboot(context, work=work)
