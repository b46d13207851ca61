"""The list of who has which role on what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db import assignments, nouns
from compute.builtin.identity.db.nouns import Noun, Row
from compute.builtin.identity.resources.shapes import ID, flag, listing
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource

_COLUMNS = {'user.id': 'user_id', 'role.id': 'role_id'}
_SCOPES = {'scope.project.id': 'project', 'scope.domain.id': 'domain'}
_QUERY = Query(fields({'user.id': ID, 'role.id': ID, 'group.id': ID, 'scope.project.id': ID, 'scope.domain.id': ID,
                       'scope.system': {}, 'include_names': {}, 'effective': {}, 'include_subtree': {}}))


def index(call: Call) -> dict[str, Any]:
    """List assignments; ``effective`` shows implied roles as if they had been given."""
    if 'group.id' in call.query:  # there are no groups, so nobody has a role through one
        return listing(call, 'role_assignments', '/role_assignments', [])
    filters = {column: call.query[key] for key, column in _COLUMNS.items() if key in call.query}
    for key, kind in _SCOPES.items():
        if key in call.query:
            filters |= {'kind': kind, 'target_id': call.query[key]}
    if 'scope.system' in call.query:
        filters |= {'kind': 'system', 'target_id': assignments.SYSTEM}

    def read(db: sa.Connection) -> list[dict[str, Any]]:
        found = list(_effective(db, filters)) if _asked(call, 'effective') else [
            tuple(row) for row in assignments.rows(db, **filters)]
        names = _Names(db) if _asked(call, 'include_names') else None
        return [_shown(call, row, names) for row in found]
    return listing(call, 'role_assignments', '/role_assignments', call.app.read(read))


def _asked(call: Call, key: str) -> bool:
    return key in call.query and flag(call.query[key])


def _effective(db: sa.Connection, filters: dict[str, str]) -> Iterator[tuple[str, ...]]:
    wanted = filters.get('role_id')
    seen = set()
    for row in assignments.rows(db, **{name: value for name, value in filters.items() if name != 'role_id'}):
        for role in sorted(assignments.with_implied(db, {row.role_id})):
            item = (row.user_id, row.kind, row.target_id, role)
            if item not in seen and wanted in (None, role):
                seen.add(item)
                yield item


class _Names:
    """Names of everything that assignments mention; each noun is read once."""

    def __init__(self, db: sa.Connection) -> None:
        self._rows = {noun.word: {row['id']: row for row in noun.all(db)}
                      for noun in (nouns.USERS, nouns.ROLES, nouns.PROJECTS, nouns.DOMAINS)}

    def of(self, noun: Noun, row_id: str) -> Row:
        """Return id, name and domain."""
        row = self._rows[noun.word][row_id]
        found = {'id': row_id, 'name': row['name']}
        if 'domain_id' in row:
            domain = self._rows['domain'][row['domain_id']]
            found['domain'] = {'id': domain['id'], 'name': domain['name']}
        return found


def _shown(call: Call, row: tuple[str, ...], names: _Names | None) -> Row:
    user_id, kind, target_id, role_id = row

    def named(noun: Noun, row_id: str) -> Row:
        return names.of(noun, row_id) if names else {'id': row_id}
    if kind == 'system':
        scope: Row = {'system': {'all': True}}
        path = f'/system/users/{user_id}/roles/{role_id}'
    else:
        scope = {kind: named(nouns.PROJECTS if kind == 'project' else nouns.DOMAINS, target_id)}
        path = f'/{kind}s/{target_id}/users/{user_id}/roles/{role_id}'
    return {'user': named(nouns.USERS, user_id), 'role': named(nouns.ROLES, role_id), 'scope': scope,
            'links': {'assignment': call.link(path)}}


ROLE_ASSIGNMENTS = Resource('role_assignments', (
    Op('GET', '/role_assignments', index, policy='identity:list_role_assignments', query=_QUERY),))
