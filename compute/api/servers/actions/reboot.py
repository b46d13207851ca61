"""reboot."""

from __future__ import annotations

from compute.api.servers.load import load
from compute.control.instances import reboot as control
from compute.policies import reboot as policy
from compute.rest.call import Call
from compute.rest.fields import Required, fields
from compute.rest.op import Body, Op, nothing

_TYPE = {'type': 'string', 'enum': ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']}


def reboot(call: Call) -> None:
    """Begin to reboot the server, softly or hard."""
    control.reboot(call.app, call.context, call.target, call.body['type'].upper())


OP = Op('ACTION', 'reboot', reboot, policy=policy.REBOOT, loads=load, status=202, again=nothing,
        body=Body('reboot', fields(type=Required(_TYPE))))
