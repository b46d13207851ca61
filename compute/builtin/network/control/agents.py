"""Agents as they report themselves."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import binding
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.exception import Conflict, NotFound
from compute.objects.value import now
from compute.objects.wiring import AgentReport

BINARY, TYPE, TOPIC = 'compute-network-agent', 'Compute network agent', 'network_agent'


def heartbeat(work: Work, report: AgentReport) -> None:
    """Keep an agent's report; the first one makes its row."""
    at = now()
    values = {'heartbeat_at': at, 'incarnation': report.incarnation, 'started_at': _time(report.started_at) or at,
              'configurations': {'networks': report.networks, 'ports': report.ports,
                                 'bridge_mappings': report.bridges, 'problems': list(report.problems)}}
    update = t.agents.update().where(t.agents.c.host == report.host).values(**values)
    if work.connection.execute(update).rowcount:
        return
    try:
        with work.connection.begin_nested():
            work.connection.execute(t.agents.insert().values(
                id=str(uuid.uuid4()), host=report.host, created_at=at, **values))
    except IntegrityError:
        work.connection.execute(update)


def _time(text: str) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(text)
        return moment.astimezone(datetime.UTC).replace(tzinfo=None) if moment.tzinfo else moment
    except (ValueError, OverflowError):
        return None


def get(work: Work, agent_id: str) -> Mapping[str, Any]:
    """Return an agent. :raises NotFound:"""
    row = work.connection.execute(sa.select(t.agents).where(t.agents.c.id == agent_id)).first()
    if row is None:
        raise missing(agent_id)
    return dict(row._mapping)


def missing(agent_id: str) -> NotFound:
    """Return the error for an agent that does not exist, or not for the caller."""
    return NotFound(f'Agent {agent_id} could not be found.', details={'type': 'AgentNotFound'})


def every(work: Work) -> list[Mapping[str, Any]]:
    """Return all agents by host."""
    return list(rows.every(work.connection, t.agents, order=t.agents.c.host))


def update(work: Work, agent_id: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Enable, disable or describe an agent. A disabled one keeps its ports; none is bound to its host anew."""
    get(work, agent_id)
    work.connection.execute(t.agents.update().where(t.agents.c.id == agent_id).values(**attributes))
    return get(work, agent_id)


def delete(work: Work, agent_id: str) -> None:
    """Forget an agent. :raises Conflict: it lives; it would only come back with its next heartbeat."""
    agent = get(work, agent_id)
    if binding.is_alive(agent['heartbeat_at'], work.options.agent_down_time):
        raise Conflict(f'Agent {agent_id} on host {agent["host"]} is alive; stop it first, then it can be deleted.',
                       details={'type': 'AgentInUse'})
    work.connection.execute(t.agents.delete().where(t.agents.c.id == agent_id))
