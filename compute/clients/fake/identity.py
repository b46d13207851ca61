"""An Identity service in memory."""

from __future__ import annotations

from collections.abc import Iterable

from compute.context import RequestContext


class FakeIdentity:
    """Knows ``known``; with None it cannot tell of any."""

    def __init__(self, known: Iterable[str] | None = None) -> None:
        self.known = None if known is None else set(known)

    def project_exists(self, context: RequestContext | None, project_id: str) -> bool | None:
        """Tell whether there is such a project."""
        return None if self.known is None else project_id in self.known
