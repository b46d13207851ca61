"""unpause."""

from compute.api.servers.actions.plain import operation_of
from compute.objects.kinds.unpause import UNPAUSE
from compute.policies import unpause as policy

OP = operation_of('unpause', UNPAUSE, policy.UNPAUSE)
