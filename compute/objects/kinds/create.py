"""A server is made: a host is chosen and claimed, its ports are wired, its image is fetched, its guest is started.

Spawning is not simply done again after a crash: the guest may run. The worker that starts destroys it first (the undo)
and then builds it anew on the same host.
"""

from compute import states
from compute.objects.kinds.kind import Kind, Stage

KIND = Kind('create', deadline=1800, final_on_failure=states.ERROR, stages=(
    Stage('scheduling', states.SCHEDULING, redo=True),
    Stage('networking', states.NETWORKING, redo=True),
    Stage('block_device_mapping', states.BLOCK_DEVICE_MAPPING, redo=True),
    Stage('spawning', states.SPAWNING, redo=False),
))
