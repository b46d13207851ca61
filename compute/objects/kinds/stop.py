"""Stop a running server. A guest that is off already is left alone."""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

STOP = PlainKind(name='stop', guard=Guard(vm_states=(states.ACTIVE, states.ERROR)), deadline=600,
                 stages=(Stage('powering_off', states.POWERING_OFF, redo=True),))
