"""Reboot a server: softly by asking its guest, or hard by cutting its power.

Two kinds, for they are allowed in different states, and a hard reboot cancels a soft one that hangs. After a crash a
soft reboot goes on as a hard one: whether the guest went down is not known then.
"""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

_HARD = (Stage('rebooting_hard', states.REBOOTING_HARD, redo=True),
         Stage('reboot_started_hard', states.REBOOT_STARTED_HARD, redo=True))

REBOOT = PlainKind(
    name='reboot', guard=Guard(vm_states=states.ALLOW_SOFT_REBOOT), deadline=600,
    stages=(Stage('rebooting', states.REBOOTING, redo=True),
            Stage('reboot_started', states.REBOOT_STARTED, redo=True), *_HARD))

HARD_REBOOT = PlainKind(
    name='reboot_hard', action='reboot', deadline=600,
    supersedes=('reboot', 'reboot_hard', 'pause', 'unpause', 'suspend', 'resume'),
    guard=Guard(vm_states=states.ALLOW_HARD_REBOOT, task_states=states.ALLOW_REBOOT_TASKS), stages=_HARD)
