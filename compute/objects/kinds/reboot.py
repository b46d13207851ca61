"""A server is rebooted. Nobody can tell after a crash whether the guest already went down, so it is done again,
hard."""

from compute import states
from compute.objects.kinds.kind import Kind, Stage

KIND = Kind('reboot', deadline=600, stages=(
    Stage('rebooting', states.REBOOTING, redo=True),
    Stage('reboot_started', states.REBOOT_STARTED, redo=True),
    Stage('rebooting_hard', states.REBOOTING_HARD, redo=True),
    Stage('reboot_started_hard', states.REBOOT_STARTED_HARD, redo=True),
))
