"""suspend."""

from compute.api.servers.actions.plain import operation_of
from compute.objects.kinds.suspend import SUSPEND
from compute.policies import suspend as policy

OP = operation_of('suspend', SUSPEND, policy.SUSPEND)
