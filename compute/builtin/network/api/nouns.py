"""What networks, subnets, ports, groups and rules have in common: list, show, owner, guarded attributes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import sqlalchemy as sa

from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db.kinds import Clause, Kind
from compute.builtin.network.db.listing import Listing, find
from compute.builtin.network.db.present import present
from compute.builtin.network.db.rows import Row
from compute.builtin.network.db.scope import visible
from compute.exception import Invalid
from compute.policies.network import GUARDED
from compute.rest.call import Call
from compute.rest.fields import fields
from compute.rest.op import Query
from compute.rest.paging import demand_few_keys

T = TypeVar('T')
_CONTROLS = ('fields', 'limit', 'marker', 'sort_key', 'sort_dir', 'page_reverse')
_SPECIAL = ('tenant_id', 'tags', 'tags-any', 'not-tags', 'not-tags-any', 'fixed_ips', 'security_groups', 'shared',
            'security_group_ids', 'changed_since')


def query_of(kind: Kind) -> Query:
    """Return the query of a list: every key may repeat, and unknown ones are told by the filters."""
    return Query(fields(extra=True), repeats=(*_CONTROLS, *_SPECIAL, *kind.columns, *kind.specials))


@dataclass(frozen=True)
class Noun:
    """Handlers of one kind. ``path`` is its URL below the API's prefix."""

    kind: Kind
    path: str

    def scope(self, call: Call) -> Clause:
        """Return the clause of what the caller sees."""
        return visible(self.kind, seen_by(call))

    def load(self, call: Call) -> dict[str, Any]:
        """Load the target of a member's operation. :raises NotFound:"""
        return dict(call.app.look(lambda work: rows.get_with_network(
            work.connection, self.kind, call.path['id'], self.scope(call))))

    def page(self, call: Call) -> dict[str, Any]:
        """Answer a list, with links to its neighbours where it is one page of several."""
        listing = listing_of(call, call.app.options.max_limit)
        scope = sa.and_(self.scope(call), self._comparable(call, listing))
        shown = call.query.get('fields', [])

        def read(work: Work) -> tuple[Any, list[dict[str, Any]]]:
            found = find(work.connection, self.kind, scope, listing)
            return found, present(work.connection, self.kind, found.rows, call.app.options, shown)
        found, items = call.app.look(read)
        ids = [item['id'] for item in items]
        answer: dict[str, Any] = {self.kind.collection: self.seen(call, items)}
        if links := self._links(call, found, ids):
            answer[f'{self.kind.collection}_links'] = links
        return answer

    def show(self, call: Call) -> dict[str, Any]:
        """Answer the loaded one."""
        shown = call.query.get('fields', [])
        items = call.app.look(lambda work: present(work.connection, self.kind, [call.target], call.app.options, shown))
        return {self.kind.name: self.seen(call, items)[0]}

    def answer(self, call: Call, ident: str) -> dict[str, Any]:
        """Answer the one with this id."""
        return {self.kind.name: self.read(call, [ident])[0]}

    def read(self, call: Call, ids: Iterable[str]) -> list[dict[str, Any]]:
        """Return these as the caller sees them."""
        def read(work: Work) -> list[dict[str, Any]]:
            found = [rows.get(work.connection, self.kind, ident) for ident in ids]
            return present(work.connection, self.kind, found, call.app.options)
        return self.seen(call, call.app.look(read))

    def create(self, call: Call, make: Callable[[Work, dict[str, Any]], Row],
               items: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Make one or many, in one transaction, and answer as asked: one, or a list."""
        made = self.make(call, make, items)
        return self._as_asked(call, self.read(call, [row['id'] for row in made]))

    def make(self, call: Call, make: Callable[[Work, dict[str, Any]], T],
             items: Callable[[Any], dict[str, Any]]) -> list[T]:
        """Make what the request describes, in one transaction, each in its project."""
        many = self.kind.collection in call.body
        wanted = [items(item) for item in (call.body[self.kind.collection] if many else [call.body[self.kind.name]])]
        for item in wanted:
            item['project_id'] = owner(call, item)
        made: list[T] = call.app.do(lambda work: [make(work, item) for item in wanted])
        return made

    def answered(self, call: Call, items: list[dict[str, Any]]) -> dict[str, Any]:
        """Answer a request with what was made for it, as far as the caller may see it."""
        return self._as_asked(call, self.seen(call, items))

    def _as_asked(self, call: Call, found: list[dict[str, Any]]) -> dict[str, Any]:
        return {self.kind.collection: found} if self.kind.collection in call.body else {self.kind.name: found[0]}

    def seen(self, call: Call, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return items without what the caller may not see, or did not ask for. Policy is asked once per project."""
        hidden: dict[str, list[str]] = {}
        shown = call.query.get('fields')
        for item in items:
            project_id = item['project_id']
            if project_id not in hidden:
                hidden[project_id] = self._hidden(call, {'project_id': project_id})
            for attribute in hidden[project_id]:
                item.pop(attribute, None)
        return [{name: item[name] for name in shown if name in item} for item in items] if shown else items

    def _hidden(self, call: Call, target: dict[str, Any]) -> list[str]:
        return [attribute for attribute in self._guarded
                if not call.may(f'get_{self.kind.name}:{attribute}', target)]

    @functools.cached_property
    def _guarded(self) -> frozenset[str]:
        return frozenset(attribute for rule, attribute in GUARDED if rule == f'get_{self.kind.name}')

    def _comparable(self, call: Call, listing: Listing) -> Clause:
        """Return the clause for rows of which the caller may see every attribute that the list compares.

        :raises Invalid: policy hides an attribute to filter by, or hides one to sort by on some rows.
        """
        own, ordered = call.context.project_id or '', dict(listing.sort)
        if not self._guarded.intersection((*listing.filters, *ordered)):
            return sa.true()
        hidden = set(self._hidden(call, {})).intersection((*listing.filters, *ordered))
        if refused := hidden.intersection((*ordered, *self._hidden(call, {'project_id': own}))):
            raise Invalid(f'{min(refused)}: your roles do not let you see this attribute of {self.kind.collection}, '
                          'so lists cannot be filtered or sorted by it')
        return self.kind.table.c.project_id == own if hidden else sa.true()

    def _links(self, call: Call, found: Any, ids: list[str]) -> list[dict[str, str]]:
        links = []
        if ids and found.after:
            links.append({'rel': 'next', 'href': self._url(call, ids[-1], False)})
        if ids and found.before:
            links.append({'rel': 'previous', 'href': self._url(call, ids[0], True)})
        return links

    def _url(self, call: Call, marker: str, reverse: bool) -> str:
        query = [(key, value) for key, values in call.query.items() if key not in ('marker', 'page_reverse')
                 for value in (values if isinstance(values, list) else [values])]
        query.append(('marker', marker))
        if reverse:
            query.append(('page_reverse', 'True'))
        return call.link(f'{self.path}?{urlencode(query)}')


def seen_by(call: Call) -> str | None:
    """Return the project to which the caller's sight is confined, None for those who see all."""
    return None if call.may('network_sees_all', {}) else call.context.project_id or ''


def with_network(work: Work, target: dict[str, Any]) -> dict[str, Any]:
    """Add to a policy's target whose network it is on."""
    if target.get('network_id'):
        from compute.builtin.network.db.kinds import NETWORK
        network = rows.get(work.connection, NETWORK, target['network_id'])
        target.update(network_project_id=network['project_id'], network_shared=network['shared'])
    return target


def owner(call: Call, item: Mapping[str, Any]) -> str:
    """Return the project of a new thing. :raises Invalid: it is another's and the caller may not, or nobody's."""
    own = call.context.project_id
    asked = item.get('project_id')
    if asked and asked != own and not call.may('acts_for_others', {}):
        raise Invalid("Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires "
                      'admin privileges')
    if not (asked or own):
        raise Invalid('project_id: the token has no project, so the request has to name one')
    return str(asked or own)


def demand_attributes(call: Call, action: str, attributes: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    """Return if the caller may set all of these attributes. :raises Forbidden: names the rule."""
    for rule, attribute in GUARDED:
        if rule == action and attribute in attributes:
            call.demand(f'{rule}:{attribute}', dict(target))


def listing_of(call: Call, max_limit: int) -> Listing:
    """Read filters, page and order of a list. :raises Invalid: a limit that is no number, an unknown direction."""
    query = {key: value if isinstance(value, list) else [value] for key, value in call.query.items()}
    filters = {key: values for key, values in query.items() if key not in _CONTROLS}
    text = query.get('limit', ['0'])[-1]
    if not re.fullmatch('[0-9]{1,18}', text):
        raise Invalid(f'limit: {text!r} is not a number of 0 or more')
    limit = min(int(text) or max_limit, max_limit)
    keys, directions = query.get('sort_key', []), query.get('sort_dir', [])
    if directions and len(directions) != len(keys):
        raise Invalid('The number of sort_keys and sort_dirs must be same', details={'type': 'HTTPBadRequest'})
    for direction in directions:
        if direction not in ('asc', 'desc'):
            raise Invalid(f'sort_dir: {direction!r} is neither asc nor desc')
    order: dict[str, bool] = {}
    for number, key in enumerate(keys):
        order.setdefault(key, not directions or directions[number] == 'asc')
    demand_few_keys(order)
    return Listing(filters, tuple(order.items()), limit, (query.get('marker') or [''])[-1] or None,
                   query.get('page_reverse', ['false'])[-1].lower() in ('true', '1'))
