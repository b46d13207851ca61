"""resume."""

from compute.api.servers.actions.plain import operation_of
from compute.objects.kinds.resume import RESUME
from compute.policies import resume as policy

OP = operation_of('resume', RESUME, policy.RESUME)
