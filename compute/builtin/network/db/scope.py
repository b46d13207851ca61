"""Whose rows a caller sees."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import GROUP, NETWORK, PORT, RULE, SUBNET, Clause, Kind


def visible(kind: Kind, project_id: str | None) -> Clause:
    """Return the clause for a project; None sees all.

    Shared and external networks are everybody's to see, with their subnets; a network's owner sees all ports on it.
    """
    if project_id is None:
        return sa.true()
    own = kind.table.c.project_id == project_id
    return sa.or_(own, *_OTHERS[kind.name](project_id))


def _networks(project_id: str) -> list[Any]:
    return [t.networks.c.shared.is_(True), t.networks.c.external.is_(True)]


def _subnets(project_id: str) -> list[Any]:
    return [t.subnets.c.network_id.in_(sa.select(t.networks.c.id).where(
        sa.or_(t.networks.c.project_id == project_id, *_networks(project_id))))]


def _ports(project_id: str) -> list[Any]:
    return [t.ports.c.network_id.in_(sa.select(t.networks.c.id).where(t.networks.c.project_id == project_id))]


def _rules(project_id: str) -> list[Any]:
    return [t.security_group_rules.c.group_id.in_(
        sa.select(t.security_groups.c.id).where(t.security_groups.c.project_id == project_id))]


_OTHERS: dict[str, Any] = {NETWORK.name: _networks, SUBNET.name: _subnets, PORT.name: _ports, RULE.name: _rules,
                           GROUP.name: lambda project_id: []}
