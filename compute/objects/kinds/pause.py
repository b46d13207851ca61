"""Pause a running server: its guest stays in memory and gets no processor time. A paused guest is left alone."""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

PAUSE = PlainKind(name='pause', guard=Guard(vm_states=(states.ACTIVE,)), deadline=600,
                  stages=(Stage('pausing', states.PAUSING, redo=True),))
