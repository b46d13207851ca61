"""os-stop."""

from compute.api.servers.actions.plain import operation_of
from compute.objects.kinds.stop import STOP
from compute.policies import stop as policy

OP = operation_of('os-stop', STOP, policy.STOP)
