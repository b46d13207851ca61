"""pause."""

from compute.api.servers.actions.plain import operation_of
from compute.objects.kinds.pause import PAUSE
from compute.policies import pause as policy

OP = operation_of('pause', PAUSE, policy.PAUSE)
