"""Tells the network daemon which ports are up and which cannot be, until it has heard.

Wiring does not wait for these calls. Of several things to say about one port only the last is said.
"""

from __future__ import annotations

import logging
import threading

from compute import concurrency, context, exception
from compute.rpc.network_agent import AgentReports

LOG = logging.getLogger(__name__)
LONGEST_PAUSE = 30.0


class Reporter:
    """Sends reports of one host in a thread of its own."""

    def __init__(self, reports: AgentReports, host: str) -> None:
        self._reports, self._host = reports, host
        self._condition = threading.Condition()
        self._waiting: dict[str, str | None] = {}
        self._stopped = False
        self._pause = 0.0

    def start(self) -> None:
        """Begin to send."""
        concurrency.spawn(self._run, name=f'network-reports-{self._host}')

    def stop(self) -> None:
        """Send no more."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def say(self, port_id: str, reason: str | None) -> None:
        """Say that a port is up, or with a reason that it cannot be."""
        with self._condition:
            self._waiting[port_id] = reason
            self._condition.notify_all()

    def forget(self, port_id: str) -> None:
        """Say nothing about a port that is gone."""
        with self._condition:
            self._waiting.pop(port_id, None)

    def _run(self) -> None:
        while (item := self._next()) is not None:
            port_id, reason = item
            try:
                self._send(port_id, reason)
                self._pause = 0.0
            except exception.ComputeError as error:
                self._failed(port_id, reason, error)
            except Exception as error:
                LOG.exception('report on port %s failed', port_id)
                self._failed(port_id, reason, exception.Unavailable(str(error)))

    def _next(self) -> tuple[str, str | None] | None:
        with self._condition:
            if self._pause:
                self._condition.wait_for(lambda: self._stopped, self._pause)
            self._condition.wait_for(lambda: self._stopped or self._waiting)
            if self._stopped:
                return None
            port_id = next(iter(self._waiting))
            return port_id, self._waiting.pop(port_id)

    def _send(self, port_id: str, reason: str | None) -> None:
        if reason is None:
            self._reports.port_up(context.internal(), host=self._host, port_id=port_id)
        else:
            self._reports.port_failed(context.internal(), host=self._host, port_id=port_id, reason=reason)

    def _failed(self, port_id: str, reason: str | None, error: exception.ComputeError) -> None:
        if not error.retryable and error.status < 500:
            LOG.info('the network daemon does not want a report on port %s: %s', port_id, error.message)
            return
        self._pause = min(max(1.0, self._pause * 2), LONGEST_PAUSE)
        LOG.warning('report on port %s is sent again in %.0f s: %s', port_id, self._pause, error.message)
        with self._condition:
            self._waiting.setdefault(port_id, reason)
