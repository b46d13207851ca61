"""Reports the state of a daemon to systemd: starting (and what it waits for), ready, alive, stopping."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from compute import concurrency

_LOOK = 0.2  # seconds between two looks whether it serves
_EXTENDS = 60  # seconds for which systemd is to wait on, asked for again before they are over
_STATUS_EVERY = 10.0
REPLACES = 'COMPUTE_REPLACES'


class Notifier:
    """Speaks for a ``service.Service``. The watchdog is fed while the thread hub turns, whatever else is wrong:
    a restart does not bring a broker back.

    How we are is told apart from that we live: a look at the broker may take longer than the watchdog's patience.
    """

    def __init__(self, service: Any) -> None:
        self._service = service
        self._stopped = threading.Event()

    def start(self) -> None:
        """Send READY=1 once the daemon serves and is healthy, until then a STATUS; feed the watchdog."""
        interval = int(os.environ.get('WATCHDOG_USEC', '0')) / 1_000_000
        if interval:
            concurrency.Periodic(self._feed, interval / 3, name='watchdog', jitter=0).start()
        concurrency.spawn(self._follow, name='status')

    def stop(self) -> None:
        """Send STOPPING=1, after which systemd expects no more food for the watchdog."""
        self._stopped.set()
        send('STOPPING=1\nSTATUS=finishing what runs')

    def _follow(self) -> None:
        said, ready, asked = '', False, float('-inf')
        while not self._stopped.is_set():
            problems = self._service.health()
            serves = self._service.serving.is_set()
            status = ' '.join('; '.join(problems).split())[:200] or ('serving' if serves else 'it is starting')
            ready_now = serves and not problems
            if self._stopped.is_set():
                return
            if status != said:
                send(f'STATUS={status}')
                said = status
            if ready_now and not ready:
                send('READY=1')
                ready = True
            elif not ready and time.monotonic() - asked > _EXTENDS / 2:
                send(f'EXTEND_TIMEOUT_USEC={_EXTENDS * 1_000_000}')
                asked = time.monotonic()
            self._stopped.wait(_STATUS_EVERY if ready else _LOOK)

    def _feed(self) -> None:
        if not self._stopped.is_set():
            send('WATCHDOG=1')


def replaces() -> bool:
    """Tell whether a supervisor started this process to replace one that serves: that one goes when this is ready."""
    return REPLACES in os.environ


def send(message: str) -> None:
    """Send a message to whom NOTIFY_SOCKET names, if it does."""
    from oslo_service import systemd
    systemd._sd_notify(False, message.encode())
