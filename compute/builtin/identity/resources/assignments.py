"""The list of who has which role on what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.builtin.identity.db import assignments, nouns
from compute.builtin.identity.db.assignments import BELOW, Assignment
from compute.builtin.identity.db.effective import Effect, Wanted, effective, given
from compute.builtin.identity.db.nouns import Row
from compute.builtin.identity.resources.domains import own
from compute.builtin.identity.resources.shapes import ID, flag, listing, most_of
from compute.exception import Invalid
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Op, Query, Resource

_INHERITED = 'scope.OS-INHERIT:inherited_to'
_QUERY = Query(fields({'user.id': ID, 'role.id': ID, 'group.id': ID, 'scope.project.id': ID, 'scope.domain.id': ID,
                       'scope.system': {}, _INHERITED: {'const': 'projects'}, 'include_names': {}, 'effective': {},
                       'include_subtree': {}}))
_EXCLUSIVE = (('user.id', 'group.id'), ('scope.project.id', 'scope.domain.id'), ('scope.project.id', 'scope.system'),
              ('scope.domain.id', 'scope.system'), ('effective', 'group.id'))
_NOUNS = {'user': nouns.USERS, 'group': nouns.GROUPS, 'role': nouns.ROLES, 'project': nouns.PROJECTS,
          'domain': nouns.DOMAINS}


def index(call: Call) -> dict[str, Any]:
    """List assignments; ``effective`` has users instead of groups, projects that inherit, and implied roles."""
    _check(call)
    as_they_work, most = _asked(call, 'effective'), most_of(call)

    def read(db: sa.Connection) -> tuple[list[Row], bool]:
        wanted = _wanted(call, db, as_they_work, most)
        found: list[Any] = effective(db, wanted, most) if as_they_work else given(db, wanted, most)
        more, found = len(found) >= most, found[:most - 1]
        rows = _inside(call, db, [_entry(each) for each in found])
        names = _Names(db, [row['ids'] for row in rows]) if _asked(call, 'include_names') else None
        return [_shown(call, row, names) for row in rows], more
    items, more = call.app.read(read)
    answer = listing(call, 'role_assignments', '/role_assignments', items)
    return {**answer, 'truncated': True} if more else answer


def _asked(call: Call, key: str) -> bool:
    return key in call.query and flag(call.query[key])


def _check(call: Call) -> None:
    """Refuse filters that contradict each other, as Keystone does. :raises Invalid:"""
    for one, other in _EXCLUSIVE:
        if one in call.query and other in call.query and (one != 'effective' or _asked(call, one)):
            raise Invalid(f'{one} and {other} cannot be combined')
    if _asked(call, 'include_subtree') and 'scope.project.id' not in call.query:
        raise Invalid('include_subtree needs scope.project.id')
    if _asked(call, 'effective') and _INHERITED in call.query and 'scope.domain.id' in call.query:
        raise Invalid(f'effective, scope.domain.id and {_INHERITED} together fit nothing')


def _wanted(call: Call, db: sa.Connection, as_they_work: bool, most: int) -> Wanted:
    targets: dict[str, list[str]] | None = None
    for kind in ('project', 'domain'):
        if f'scope.{kind}.id' in call.query:
            ids = [call.query[f'scope.{kind}.id']]
            if kind == 'project' and _asked(call, 'include_subtree'):
                ids += assignments.descendants(db, ids, most)
            targets = {kind: ids} if as_they_work else {kind: ids, BELOW[kind]: ids}
    if 'scope.system' in call.query:
        targets = {'system': [assignments.SYSTEM]}
    return Wanted(call.query.get('user.id'), call.query.get('group.id'), call.query.get('role.id'), targets,
                  _INHERITED in call.query, _confined_to(call))


def _entry(each: Assignment | Effect) -> Row:
    """Return an assignment with the ids that it names by noun, its target's kind, and the assignment it comes from."""
    source = each.given if isinstance(each, Effect) else each
    if isinstance(each, Effect):
        kind, target, ids = each.kind, each.target_id, {'user': each.user_id, 'role': each.role_id}
    else:
        kind, target, ids = each.target_kind, each.target_id, {each.actor: each.actor_id, 'role': each.role_id}
    return {'kind': kind, 'given': source, 'ids': {**ids, **({} if kind == 'system' else {kind: target})}}


def _inside(call: Call, db: sa.Connection, rows: list[Row]) -> list[Row]:
    """Return the assignments visible to a domain-scoped reader: on its domain and its projects."""
    domain = _confined_to(call)
    if domain is None:
        return rows
    known = nouns.PROJECTS.of_ids(db, {row['ids']['project'] for row in rows if row['kind'] == 'project'})
    return [row for row in rows if row['ids'].get('domain') == domain
            or (row['kind'] == 'project' and known.get(row['ids']['project'], {}).get('domain_id') == domain)]


def _confined_to(call: Call) -> str | None:
    return None if call.context.is_admin else call.context.domain_id or None


class _Names:
    """Names of everything that the assignments of an answer mention."""

    def __init__(self, db: sa.Connection, mentioned: list[dict[str, str]]) -> None:
        self._rows = {word: noun.of_ids(db, {ids[word] for ids in mentioned if word in ids})
                      for word, noun in _NOUNS.items() if word != 'domain'}
        domains = {row['domain_id'] for rows in self._rows.values() for row in rows.values() if row.get('domain_id')}
        self._rows['domain'] = nouns.DOMAINS.of_ids(db, domains | {
            ids['domain'] for ids in mentioned if 'domain' in ids})

    def of(self, word: str, row_id: str) -> Row:
        """Return id, name and domain."""
        row = self._rows[word].get(row_id, {'name': ''})  # deleted between two reads
        found = {'id': row_id, 'name': row['name']}
        if row.get('domain_id'):
            found['domain'] = self.of('domain', row['domain_id'])
        return found


def _shown(call: Call, row: Row, names: _Names | None) -> Row:
    source, kind = row['given'], row['kind']
    named = {word: names.of(word, each) if names else {'id': each} for word, each in row['ids'].items()}
    scope: Row = {'system': {'all': True}} if kind == 'system' else {kind: named.pop(kind)}
    links = {'assignment': call.link(_path(source))}
    if source.kind in BELOW.values():
        scope['OS-INHERIT:inherited_to'] = 'projects'
    if source.actor == 'group' and 'user' in named:
        links['membership'] = call.link(f'/groups/{source.actor_id}/users/{row["ids"]["user"]}')
    if source.role_id != row['ids']['role']:
        links['prior_role'] = call.link(f'/roles/{source.role_id}/implies')
    return {**named, 'scope': scope, 'links': links}


def _path(source: Assignment) -> str:
    on = '/system' if source.kind == 'system' else f'/{source.target_kind}s/{source.target_id}'
    path = f'{on}/{source.actor}s/{source.actor_id}/roles/{source.role_id}'
    return f'/OS-INHERIT{path}/inherited_to_projects' if source.kind in BELOW.values() else path


ROLE_ASSIGNMENTS = Resource('role_assignments', (
    Op('GET', '/role_assignments', index, policy='identity:list_role_assignments', loads=own, query=_QUERY),))
