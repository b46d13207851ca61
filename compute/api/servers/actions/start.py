"""os-start."""

from compute.api.servers.actions.plain import operation_of
from compute.objects.kinds.start import START
from compute.policies import start as policy

OP = operation_of('os-start', START, policy.START)
