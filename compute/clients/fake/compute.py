"""Takes server events in memory."""

from __future__ import annotations

import threading
from typing import Any

from compute import exception


class FakeServerEvents:
    """Keeps what was sent in ``sent``. Servers in ``unknown`` get 404, as Compute answers."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.unknown: set[str] = set()
        self._lock = threading.Lock()
        self._error: exception.ComputeError | None = None

    def refuse(self, error: exception.ComputeError | None) -> None:
        """Let every call raise this, or none."""
        self._error = error

    def send(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Keep events and answer with a code each."""
        if self._error is not None:
            raise self._error
        answer = [{**event, 'status': 'failed', 'code': 404} if event['server_uuid'] in self.unknown
                  else {'status': 'completed', **event, 'code': 200} for event in events]
        if events and all(event['code'] == 404 for event in answer):
            raise exception.NotFound('No instances found for any event', code='compute_not_found')
        with self._lock:
            self.sent += events
        return answer
