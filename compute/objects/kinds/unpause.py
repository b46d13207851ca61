"""Resume a paused server. A guest that runs already is left alone."""

from compute import states
from compute.objects.kinds.kind import Guard, PlainKind, Stage

UNPAUSE = PlainKind(name='unpause', guard=Guard(vm_states=(states.PAUSED_VM,)), deadline=600,
                    stages=(Stage('unpausing', states.UNPAUSING, redo=True),))
