"""Start a stopped server. A guest that runs already is left alone."""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

START = PlainKind(name='start', guard=Guard(vm_states=(states.STOPPED,)), deadline=600,
                  stages=(Stage('powering_on', states.POWERING_ON, redo=True),))
