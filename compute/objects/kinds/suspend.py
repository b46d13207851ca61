"""Suspend a running server: its memory is saved on its host, and its guest is stopped."""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

SUSPEND = PlainKind(name='suspend', guard=Guard(vm_states=(states.ACTIVE,)), deadline=1800,
                    stages=(Stage('suspending', states.SUSPENDING, redo=True),))
