"""The second name of servers, for those booted from volumes; gone from 2.103. The same operations at another path."""

from __future__ import annotations

import dataclasses

from compute.api.servers import ops
from compute.rest.op import Op, Resource

_PATH = '/os-volumes_boot'
_ACTIONS = ('reboot', 'os-start', 'os-stop', 'resize', 'confirmResize', 'revertResize')


def _mirrored(op: Op) -> Op:
    return dataclasses.replace(op, path=op.path.replace('/servers', _PATH), until='2.103')


RESOURCE = Resource('os-volumes-boot', actions=f'{_PATH}/{{id}}/action', ops=tuple(
    _mirrored(op) for op in ops.RESOURCE.ops if op.method != 'ACTION' or op.path in _ACTIONS))
