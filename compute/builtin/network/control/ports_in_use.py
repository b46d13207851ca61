"""Ports that keep a network, a subnet or a security group in use, as errors name them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import tables as t

AUTOMATIC = ('network:dhcp', 'network:distributed', 'network:floatingip_agent_gateway')
"""Owners of ports that exist for their network only, and go with it."""
_NAMED = 10


def ports(work: Work, *clauses: Any) -> list[str]:
    """Return the ids of the ports that meet the clauses and do not go by themselves."""
    return _ids(work, t.ports.c.device_owner.not_in(AUTOMATIC), *clauses)


def automatic_ports(work: Work, *clauses: Any) -> list[str]:
    """Return the ids of the ports that meet the clauses and go with their network."""
    return _ids(work, t.ports.c.device_owner.in_(AUTOMATIC), *clauses)


def named(ids: list[str]) -> str:
    """Return ids for a message: the first ones, and how many more there are."""
    more = f' and {len(ids) - _NAMED} more' if len(ids) > _NAMED else ''
    return ', '.join(ids[:_NAMED]) + more


def _ids(work: Work, *clauses: Any) -> list[str]:
    return list(work.connection.execute(sa.select(t.ports.c.id).where(*clauses).order_by(t.ports.c.id)).scalars())
