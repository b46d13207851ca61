"""Tells the network daemon which ports are up and which cannot be, until it has heard.

Wiring does not wait for these calls. Of several things to say about one port only the last is said, and all ports
that came up while the last report was on its way are told in one.
"""

from __future__ import annotations

import logging
import threading

from compute import concurrency, context, exception
from compute.rpc.network_agent import AgentReports

LOG = logging.getLogger(__name__)
LONGEST_PAUSE = 30.0
_MOST = 100


class Reporter:
    """Sends reports of one host in a thread of its own."""

    def __init__(self, reports: AgentReports, host: str) -> None:
        self._reports, self._host = reports, host
        self._condition = threading.Condition()
        self._waiting: dict[str, str | None] = {}
        self._stopped = False
        self._pause = 0.0
        self._many = True

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
        while (said := self._next()) is not None:
            try:
                self._send(said)
                self._pause = 0.0
            except exception.ComputeError as error:
                self._failed(said, error)
            except Exception as error:
                LOG.exception('report on port %s failed', ', '.join(said))
                self._failed(said, exception.Unavailable(str(error)))

    def _next(self) -> dict[str, str | None] | None:
        """Return what to say in one call: a failure, or all ports that are up."""
        with self._condition:
            if self._pause:
                self._condition.wait_for(lambda: self._stopped, self._pause)
            self._condition.wait_for(lambda: self._stopped or self._waiting)
            if self._stopped:
                return None
            first = next(iter(self._waiting))
            if self._waiting[first] is not None:
                return {first: self._waiting.pop(first)}
            up = [port_id for port_id, reason in self._waiting.items() if reason is None]
            return {port_id: self._waiting.pop(port_id) for port_id in up[:_MOST if self._many else 1]}

    def _send(self, said: dict[str, str | None]) -> None:
        port_id, reason = next(iter(said.items()))
        if reason is not None:
            self._reports.port_failed(context.internal(), host=self._host, port_id=port_id, reason=reason)
        elif len(said) == 1:
            self._reports.port_up(context.internal(), host=self._host, port_id=port_id)
        elif refused := self._reports.ports_up(context.internal(), host=self._host, port_ids=list(said)):
            LOG.info('the network daemon does not want reports on ports %s: they are not bound here', refused)

    def _failed(self, said: dict[str, str | None], error: exception.ComputeError) -> None:
        ports = ', '.join(said)
        if len(said) > 1 and error.code == 'rpc_version':
            self._many = False  # it is of the release before
        elif not error.retryable and error.status < 500:
            LOG.info('the network daemon does not want a report on port %s: %s', ports, error.message)
            return
        else:
            self._pause = min(max(1.0, self._pause * 2), LONGEST_PAUSE)
            LOG.warning('report on port %s is sent again in %.0f s: %s', ports, self._pause, error.message)
        with self._condition:
            for port_id, reason in said.items():
                self._waiting.setdefault(port_id, reason)
