"""A server is made: a host is chosen and claimed, its ports are wired, its image is fetched, its guest is started.

Spawning is not done again by itself: the guest may run. The worker destroys it (the undo) and the next host is tried.
"""

from compute import states
from compute.objects.kinds.kind import Kind, Stage

KIND = Kind('create', deadline=1800, final_on_failure=states.ERROR, stages=(
    Stage('scheduling', states.SCHEDULING, redo=True),
    Stage('networking', states.NETWORKING, redo=True),
    Stage('block_device_mapping', states.BLOCK_DEVICE_MAPPING, redo=True),
    Stage('spawning', states.SPAWNING, redo=False),
))
