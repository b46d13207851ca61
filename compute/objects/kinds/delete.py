"""A server is removed: guest, ports, claim, quota. Every stage may be done again, and it never gives up half-way."""

from compute import states
from compute.objects.kinds.kind import Kind, Stage

KIND = Kind('delete', deadline=1800, final_on_failure=states.ERROR, stages=(
    Stage('deleting', states.DELETING, redo=True),
    Stage('releasing', states.DELETING, redo=True),
))
