"""A request as a handler sees it: one shape, one version of the truth, and the rules of the caller."""

from __future__ import annotations

from typing import Any

from compute.context import RequestContext
from compute.rest.op import Op
from compute.rest.policy import Policy
from compute.rest.versions import Version


class Call:
    """``app`` is the daemon's own object (database, clients, RPC). ``body`` is in the newest shape, checked.

    ``path`` holds the parts of the URL, ``query`` the checked query, ``target`` what ``Op.loads`` returned, ``facts``
    the named behaviours of the request's version. ``stream`` is the raw body of a ``raw`` operation. ``address`` is
    that of the client, or what a proxy says of it if proxies are trusted. ``root_url`` is the daemon's URL;
    ``base_url`` (with the version) and ``bookmark_url`` (without) name the project if the URL did.
    """

    def __init__(self, app: Any, op: Op, version: Version, context: RequestContext, policy: Policy) -> None:
        self.app, self.op, self.version, self.context = app, op, version, context
        self._policy = policy
        self.path: dict[str, str] = {}
        self.query: dict[str, Any] = {}
        self.body: Any = None
        self.beside: dict[str, Any] = {}
        self.target: Any = None
        self.facts = {name: version in span for name, span in op.facts.items()}
        self.headers: Any = {}
        self.stream: Any = None
        self.root_url = ''
        self.base_url = ''
        self.bookmark_url = ''
        self.url = ''
        self.address = ''

    def may(self, rule: str, target: Any = None) -> bool:
        """Tell whether policy allows ``rule`` on ``target`` (by default the loaded one)."""
        return self._policy.allows(self.context, rule, self.target if target is None else target)

    def demand(self, rule: str, target: Any = None) -> None:
        """Return if policy allows ``rule``. :raises Forbidden:"""
        self._policy.enforce(self.context, rule, self.target if target is None else target)

    @property
    def project_scope(self) -> str | None:
        """The project to which look-ups are confined; None for an administrator, who sees all.

        A token without a project is confined to a project that nobody has.
        """
        return None if self.context.is_admin else (self.context.project_id or '')

    def link(self, path: str) -> str:
        """Return the absolute URL of ``path`` below this API's version."""
        return f'{self.base_url}{path}'

    def links(self, path: str) -> list[dict[str, str]]:
        """Return the ``self`` and ``bookmark`` links of a member."""
        return [{'rel': 'self', 'href': f'{self.base_url}{path}'},
                {'rel': 'bookmark', 'href': f'{self.bookmark_url}{path}'}]
