"""Events for Compute: rows of the transaction that causes them, so that none is lost and none is made up."""

from __future__ import annotations

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.rows import Row
from compute.objects.value import now

PLUGGED, UNPLUGGED, DELETED, CHANGED = ('network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted',
                                        'network-changed')


def post(work: Work, name: str, port: Row, status: str = 'completed') -> None:
    """Tell the server that has this port. Ports of others than servers have nobody to tell."""
    if not port['device_id'] or not port['device_owner'].startswith('compute:'):
        return
    at = now()
    work.connection.execute(t.outbox.insert().values(
        name=name, server_uuid=port['device_id'], tag=port['id'], status=status, created_at=at, due_at=at, attempts=0))
    work.changes.events = True
