"""Events for Compute: rows of the transaction that causes them, so that none is lost and none is made up."""

from __future__ import annotations

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.rows import Row
from compute.objects.value import now

PLUGGED, UNPLUGGED, DELETED, CHANGED = ('network-vif-plugged', 'network-vif-unplugged', 'network-vif-deleted',
                                        'network-changed')


def post(work: Work, name: str, *ports: Row, status: str = 'completed') -> None:
    """Tell the servers that have these ports. Ports of others than servers have nobody to tell."""
    at = now()
    told = [{'name': name, 'server_uuid': port['device_id'], 'tag': port['id'], 'status': status, 'created_at': at,
             'due_at': at, 'attempts': 0}
            for port in ports if port['device_id'] and port['device_owner'].startswith('compute:')]
    if told:
        work.connection.execute(t.outbox.insert(), told)
        work.changes.events = True
