"""An operation as a row of a table: everything about it that the kernel does for it, as data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from compute.rest.fields import Compiled, Drops, Fields, Validator, fields
from compute.rest.versions import Version, Window, window

Change = tuple[str, Callable[[dict[str, Any]], dict[str, Any]]]
"""``(version, function)``: the function turns the shape of ``version`` into the one before it."""


class Body:
    """A request body: a table, under a key of its own (``root``) or bare (None), and keys beside it.

    ``lifts`` are changes for input: each takes the shape of before its version and returns the one of it. A handler
    sees the newest shape, unwrapped; keys beside the root are in ``call.beside``. A subclass that takes only certain
    media types lists them in ``media``; others are 415.
    """

    media: tuple[str, ...] = ()

    def __init__(self, root: str | None, table: Fields, *, beside: Mapping[str, Any] | None = None,
                 required: bool = True, lifts: tuple[Change, ...] = ()) -> None:
        from compute.rest.fields import Required
        self.root, self.required = root, required
        self._lifts = sorted(((Version.of(at), lift) for at, lift in lifts), key=lambda pair: pair[0])
        whole = table if root is None else fields({root: Required(table), **(beside or {})})
        self.table = whole
        self._validator = Validator(whole)

    def read(self, version: Version, data: Any) -> tuple[Any, dict[str, Any]]:
        """Check and unwrap. :raises Invalid: does not fit."""
        self._validator.check(version, data)
        if self.root is None:
            value, beside = data, {}
        else:
            value = data[self.root]
            beside = {key: item for key, item in data.items() if key != self.root}
        for at, lift in self._lifts:
            if version < at:
                value = lift(value)
        return value, beside


class Query:
    """The query of an operation. Keys that may repeat are lists in ``call.query``; the others are single (the last).

    ``strict``: the versions in which a key that the table does not have is refused; in the others it is dropped. Each
    value of a key that is given several times must fit, also where only the last one counts.
    """

    def __init__(self, table: Fields, *, repeats: tuple[str, ...] = (), strict: Window | None = None) -> None:
        self.table, self.repeats, self.strict = table, frozenset(repeats), strict
        self._known = Compiled(table, lambda version: frozenset(
            name for name, row in table.rows() if version in row.window))
        self._validator = Validator(table, 'query parameters')

    def read(self, version: Version, items: list[tuple[str, str]]) -> dict[str, Any]:
        """Return the known keys. Unknown ones are dropped, or refused in the versions of ``strict``."""
        found: dict[str, Any] = {}
        more: set[tuple[str, str]] = set()
        for key, value in items:
            if key in self.repeats:
                found.setdefault(key, []).append(value)
            else:
                if key in found:
                    more.add((key, value))
                    more.add((key, found[key]))
                found[key] = value
        if self.strict is None or version not in self.strict:
            known = self._known.at(version)
            found = {key: value for key, value in found.items() if self.table.extra is True or key in known}
        self._validator.check(version, found)
        for key, value in sorted(more):
            if key in found:
                self._validator.check(version, {key: value})
        return found


class View:
    """How an answer becomes older: changes of structure first, newest first, then keys that did not exist yet.

    ``root`` is the key of the answer that holds the item or, with ``many``, the list of items; None: the answer itself.
    Tables inside the table are applied to what lies under their key, and to each item where that is a list.
    """

    def __init__(self, root: str | None, table: Fields | None = None, *, many: bool = False,
                 changes: tuple[Change, ...] = ()) -> None:
        self.root, self.many, self.table = root, many, table or fields()
        self._changes = sorted(((Version.of(at), change) for at, change in changes), key=lambda pair: pair[0],
                               reverse=True)
        self._drops = Compiled(self.table, self.table.drops)

    def render(self, version: Version, answer: Any) -> Any:
        """Return ``answer`` (of the newest shape) as it was at ``version``."""
        changes = [change for at, change in self._changes if version < at]
        drops = self._drops.at(version)
        if not changes and not drops:
            return answer
        if self.root is None:
            return self._old(answer, changes, drops)
        inner = answer[self.root]
        old = [self._old(item, changes, drops) for item in inner] if self.many else self._old(inner, changes, drops)
        return {**answer, self.root: old}

    @staticmethod
    def _old(item: dict[str, Any], changes: list[Any], drops: Drops) -> dict[str, Any]:
        for change in changes:
            item = change(item)
        return drops.apply(item)


def nothing(call: Any, request_id: str) -> None:
    """The ``again`` of operations whose answer has no body."""


@dataclass(frozen=True)
class Op:
    """One operation.

    :param method: an HTTP method, or ``ACTION``: then ``path`` is the key of the body of ``POST <resource>/action``.
    :param handler: takes a ``Call``; returns JSON types, None, a ``Reply`` or a ``Stream``.
    :param status: of a success; a tuple of ``(since, status)`` where it differs by version.
    :param policy: the rule, checked with the loaded target; None only with ``public``.
    :param loads: takes a ``Call``, returns the target or raises NotFound.
    :param facts: behaviour that differs by version, by name: ``call.facts['x']`` is True inside the window.
    :param raw: the body is not parsed: the handler reads ``call.stream``.
    :param streams: the body or the answer may be of any size: the server neither reads the one nor keeps the other, and
        runs the operation in a pool of its own.
    :param public: no token is needed.
    :param gone: answers 410 in its window.
    :param planned: answers 501 in its window: the API has it, this release does not.
    :param again: for ``Idempotency-Key``: rebuilds the answer of a POST that was done and whose answer was lost. Takes
        a ``Call`` without target and the id of the request that did it.
    :param reads: a POST that changes nothing: ``Idempotency-Key`` means nothing to it.
    :param in_project: makes what belongs to the caller's project: 403 where the token is for none.
    """

    method: str
    path: str
    handler: Callable[..., Any] | None = None
    policy: str | None = None
    status: int | tuple[tuple[str, int], ...] = 200
    body: Body | None = None
    query: Query | None = None
    view: View | None = None
    loads: Callable[..., Any] | None = None
    since: str | None = None
    until: str | None = None
    facts: Mapping[str, Window] = field(default_factory=dict)
    raw: bool = False
    streams: bool = False
    public: bool = False
    gone: bool = False
    planned: bool = False
    again: Callable[..., Any] | None = None
    reads: bool = False
    in_project: bool = False

    @cached_property
    def window(self) -> Window:
        """The versions in which the operation exists."""
        return window(self.since, self.until)

    @property
    def is_refused(self) -> bool:
        """Return whether it has no handler and always answers an error."""
        return self.gone or self.planned

    def status_at(self, version: Version) -> int:
        """Return the status of a success."""
        if isinstance(self.status, int):
            return self.status
        return [status for since, status in self.status if version >= Version.of(since)][-1]


@dataclass(frozen=True)
class Resource:
    """Operations of one noun. ``actions`` is the path at which its ``ACTION`` rows are posted."""

    name: str
    ops: tuple[Op, ...]
    actions: str | None = None
