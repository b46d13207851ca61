"""Whether a port is bound to a host, and what its host has to do then.

A port is bound when it names a host and a device, and the host has an agent that lives. The agent makes the tap;
Compute gives its guest that tap (``vif_type`` tap).
"""

from __future__ import annotations

import datetime
from typing import Any

import sqlalchemy as sa

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.rows import Row
from compute.objects.value import now

TAP, FAILED, UNBOUND = 'tap', 'binding_failed', 'unbound'


def decide(work: Work, port: Row) -> dict[str, Any]:
    """Return ``vif_type`` and ``vif_details`` of a port as it is to be."""
    if not port['host'] or not port['device_id']:
        return {'vif_type': UNBOUND, 'vif_details': {}}
    if problem := _problem(work, port['host'], port['vnic_type']):
        return {'vif_type': FAILED, 'vif_details': {'problem': problem}}
    return {'vif_type': TAP, 'vif_details': {
        'port_filter': True, 'connectivity': 'l2', 'bridge_name': f'br{port["network_id"][:11]}'}}


def _problem(work: Work, host: str, vnic_type: str) -> str | None:
    if vnic_type != 'normal':
        return f'vnic_type {vnic_type} is not served; only normal is'
    agent = work.connection.execute(sa.select(t.agents).where(t.agents.c.host == host)).first()
    if agent is None:
        return f'host {host} has no network agent'
    if not agent.admin_state_up:
        return f'the network agent of host {host} is disabled'
    if not is_alive(agent.heartbeat_at, work.options.agent_down_time):
        return f'the network agent of host {host} was last heard of at {agent.heartbeat_at:%Y-%m-%d %H:%M:%S} UTC'
    return None


def is_alive(heartbeat_at: datetime.datetime, down_time: float) -> bool:
    """Tell whether an agent was heard of within ``down_time`` seconds."""
    return (now() - heartbeat_at).total_seconds() <= down_time
