"""os-getConsoleOutput."""

from __future__ import annotations

import re
from typing import Any

from compute.api.schema import whole
from compute.api.servers.load import load
from compute.control.instances import console_output as control
from compute.policies import console_output as policy
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Body, Op

_LENGTH = {**whole(-1), 'type': ['integer', 'string', 'null']}
# What XML and terminals cannot show.
_UNPRINTABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f]')


def console_output(call: Call) -> Any:
    """Answer the end of the serial console's log."""
    length = call.body.get('length')
    lines = None if length is None or int(length) < 0 else int(length)
    text = control.console_output(call.app, call.context, call.target, lines)
    return {'output': _UNPRINTABLE.sub('', text)}


OP = Op('ACTION', 'os-getConsoleOutput', console_output, policy=policy.CONSOLE_OUTPUT, loads=load, reads=True,
        body=Body('os-getConsoleOutput', fields(length=_LENGTH)))
