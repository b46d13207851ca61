"""The server of a URL."""

from __future__ import annotations

from compute.db import instances
from compute.objects.instance import Instance
from compute.rest.call import Call


def load(call: Call) -> Instance:
    """Return the server that the URL names, if it is the caller's. :raises NotFound:"""
    uuid = call.path.get('id') or call.path['server_id']
    return call.app.db.read(lambda connection: instances.get(connection, uuid, call.project_scope))
