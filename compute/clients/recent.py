"""What a neighbour answered a moment ago, so that a burst of requests asks it once.

Only answers that were good news are kept, and so shortly that nobody can tell it from a request that was a moment
faster: whoever acts on them finds out about changes later anyway, when the work is done. An answer is the caller's
alone: what another may see is asked for again. ``context`` None is the service user.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from compute.context import RequestContext

T = TypeVar('T')
_MOST = 1000


class Recent:
    """Answers of at most ``seconds`` ago; with 0 none is kept."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._known: dict[Hashable, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def get(self, context: RequestContext | None, what: Hashable, ask: Callable[[], T],
            good: Callable[[T], bool] = bool) -> T:
        """Return what ``ask()`` told this caller lately, else what it tells now."""
        who = (context.user_id, context.project_id, tuple(context.roles or ())) if context is not None else None
        key = (who, what)
        now = time.monotonic()
        with self._lock:
            until, answer = self._known.get(key, (0.0, None))
        if now < until:
            return answer  # type: ignore[no-any-return]
        found = ask()
        if self._seconds and good(found):
            with self._lock:
                if len(self._known) >= _MOST:
                    self._known = {each: kept for each, kept in self._known.items() if kept[0] > now}
                if len(self._known) < _MOST:
                    self._known[key] = (now + self._seconds, found)
        return found
