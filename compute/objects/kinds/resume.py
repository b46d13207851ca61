"""Resume a suspended server from its saved memory. A guest that runs already is left alone."""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

RESUME = PlainKind(name='resume', guard=Guard(vm_states=(states.SUSPENDED_VM,)), deadline=1800,
                   stages=(Stage('resuming', states.RESUMING, redo=True),))
