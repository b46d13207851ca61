"""reboot."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control import operation
from compute.objects.kinds.reboot import HARD_REBOOT, REBOOT
from compute.policies import reboot as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, nothing

_TYPE = {'type': 'string', 'enum': ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']}


def reboot(call: Call) -> None:
    """Begin to reboot the server, softly or hard."""
    kind = HARD_REBOOT if call.body['type'].upper() == 'HARD' else REBOOT
    operation.run(call.app, call.context, call.target, kind)


OP = Op('ACTION', 'reboot', reboot, policy=policy.REBOOT, loads=load, status=202, again=nothing,
        body=Body('reboot', fields(type=Required(_TYPE))))
