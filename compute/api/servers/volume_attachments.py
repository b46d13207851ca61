"""The volumes of a server, which clients read with every server they show.

TEMPORARY: volumes cannot be attached yet, so no server has any. The issue that brings them replaces both functions and
adds the other operations; routes and policies stay.
"""

from __future__ import annotations

from typing import Any

from compute.api.schema import COUNT
from compute.api.servers.load import load
from compute.exception import NotFound
from compute.policies import volumes_attachments as policy
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource
from compute.rest.versions import window

_LISTED = Query(fields(limit=COUNT, offset=COUNT), strict=window('2.75'))


def index(call: Call) -> Any:
    """List the volumes."""
    return {'volumeAttachments': []}


def show(call: Call) -> Any:
    """Show one volume. :raises NotFound: it is not attached."""
    raise NotFound(f'Volume {call.path["volume_id"]} is not attached to instance {call.target.uuid}.')


_PATH = '/servers/{server_id}/os-volume_attachments'

RESOURCE = Resource('server-volume-attachments', (
    Op('GET', _PATH, index, policy=policy.INDEX, loads=load, query=_LISTED),
    Op('GET', _PATH + '/{volume_id}', show, policy=policy.SHOW, loads=load),
))
