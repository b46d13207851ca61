"""Role assignments as they work: with users instead of groups, projects instead of what they inherit from, and implied
roles as if they had been given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import sqlalchemy as sa

from compute.builtin.identity.db import assignments
from compute.builtin.identity.db.assignments import BELOW, Assignment
from compute.builtin.identity.db.nouns import PROJECTS, ROLES
from compute.builtin.identity.db.tables import group_members, projects


class Effect(NamedTuple):
    """A role of a user on something, and the assignment it comes from. ``role_id`` may be implied by that one's."""

    user_id: str
    kind: str
    target_id: str
    role_id: str
    given: Assignment


@dataclass(frozen=True)
class Wanted:
    """The filters of a query for assignments. ``targets`` are ids by kind: None for all, empty for nothing.

    ``within``: a domain; without ``targets``, only what is on it and on its projects.
    """

    user_id: str | None = None
    group_id: str | None = None
    role_id: str | None = None
    targets: dict[str, list[str]] | None = None
    inherited: bool = False
    within: str | None = None

    def kinds(self) -> list[dict[str, object]]:
        """Return the filters of kinds and targets, one for each query that is needed."""
        if self.targets is None and self.within is None:
            return [{'kind': list(BELOW.values())}] if self.inherited else [{}]
        targets: Mapping[str, object] = self._inside() if self.targets is None else self.targets
        return [{'kind': kind, 'target_id': ids} for kind, ids in targets.items()
                if (ids if isinstance(ids, list) else True) and (not self.inherited or kind in BELOW.values())]

    def _inside(self) -> dict[str, object]:
        of_domain = sa.select(projects.c.id).where(projects.c.domain_id == self.within)
        return {'project': of_domain, BELOW['project']: of_domain, 'domain': [self.within],
                BELOW['domain']: [self.within]}


def given(connection: sa.Connection, wanted: Wanted, limit: int) -> list[Assignment]:
    """Return the assignments as they were given, at most ``limit``."""
    actors: dict[str, object] = {}
    if wanted.user_id or wanted.group_id:
        actors = {'actor': 'user' if wanted.user_id else 'group', 'actor_id': wanted.user_id or wanted.group_id}
    role = {'role_id': wanted.role_id} if wanted.role_id else {}
    return [row for kinds in wanted.kinds()
            for row in assignments.rows(connection, limit=limit, **actors, **kinds, **role)][:limit]  # type: ignore[arg-type]


def effective(connection: sa.Connection, wanted: Wanted, limit: int) -> list[Effect]:
    """Return the assignments as they work, each once, at most ``limit``."""
    found: dict[tuple[str, ...], Effect] = {}
    expansion = _Expansion(connection, limit)
    for each in _sources(connection, wanted, limit):
        for effect in expansion.effects(each, wanted):
            found.setdefault(effect[:4], effect)
            if len(found) >= limit:
                return list(found.values())
    return list(found.values())


def _sources(connection: sa.Connection, wanted: Wanted, limit: int) -> Iterator[Assignment]:
    """Yield assignments of the user (or all users) on the requested targets or their ancestors."""
    for kinds in _above(connection, wanted).kinds():
        if wanted.user_id:
            yield from assignments.of_user(connection, wanted.user_id, limit, **kinds)
        else:
            yield from assignments.rows(connection, limit=limit, **kinds)  # type: ignore[arg-type]


def _above(connection: sa.Connection, wanted: Wanted) -> Wanted:
    """Return what to read: a role on a project may be given on its domain or on a project above it.

    The projects that are asked for are one, or one and those below it.
    """
    if wanted.targets is None or not (asked := wanted.targets.get('project')):
        return wanted
    rows = connection.execute(sa.select(projects.c.domain_id).where(projects.c.id == asked[0]))
    return replace(wanted, targets={
        'project': asked, BELOW['domain']: list(rows.scalars()),
        BELOW['project']: [*assignments.ancestors(connection, asked[0]), *asked]})


@dataclass
class _Expansion:
    """Turns assignments into effective ones; shared rows are read once."""

    connection: sa.Connection
    limit: int
    _implied: dict[str, list[str]] = field(default_factory=dict)
    _members: dict[str, list[str]] = field(default_factory=dict)
    _below: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def effects(self, given: Assignment, wanted: Wanted) -> Iterator[Effect]:
        """Yield the effective assignments of an assignment that match the filters."""
        kind = 'project' if given.kind in BELOW.values() else given.kind
        users = self._users(given) if wanted.user_id is None else [wanted.user_id]
        asked = None if wanted.targets is None else set(wanted.targets.get(kind, ()))
        targets = [target for target in self._targets(given) if asked is None or target in asked]
        wants = [role for role in self._roles(given.role_id) if wanted.role_id in (None, role)]
        return (Effect(user, kind, target, role, given) for user in users for target in targets for role in wants)

    def _users(self, given: Assignment) -> list[str]:
        if given.actor == 'user':
            return [given.actor_id]
        if given.actor_id not in self._members:
            query = sa.select(group_members.c.user_id).where(group_members.c.group_id == given.actor_id)
            self._members[given.actor_id] = list(self.connection.execute(
                query.order_by(group_members.c.user_id).limit(self.limit)).scalars())
        return self._members[given.actor_id]

    def _targets(self, given: Assignment) -> list[str]:
        if given.kind not in BELOW.values():
            return [given.target_id]
        key = (given.kind, given.target_id)
        if key not in self._below:
            if given.kind == BELOW['domain']:
                rows = PROJECTS.all(self.connection, {'domain_id': given.target_id}, limit=self.limit)
                self._below[key] = [row['id'] for row in rows]
            else:
                self._below[key] = assignments.descendants(self.connection, [given.target_id], self.limit)
        return self._below[key]

    def _roles(self, role_id: str) -> list[str]:
        """Return a role and those that it implies, but none of a domain: these are not effective themselves."""
        if role_id not in self._implied:
            found = ROLES.of_ids(self.connection, assignments.with_implied(self.connection, {role_id}), domain_id=None)
            self._implied[role_id] = sorted(found, key=lambda each: (each != role_id, each))
        return self._implied[role_id]
