"""Tells systemd what a daemon does: ready (or waiting, and for what), alive, stopping."""

from __future__ import annotations

import os
import threading
from typing import Any

from compute import concurrency

# Something that is not there yet often comes within this time; then READY means that the daemon serves.
ANNOUNCE_AFTER = 10.0
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
        """Say READY=1 once the daemon serves, or waits and says for what; feed the watchdog, if there is one."""
        interval = int(os.environ.get('WATCHDOG_USEC', '0')) / 1_000_000
        if interval:
            concurrency.Periodic(self._feed, interval / 3, name='watchdog', jitter=0).start()
        concurrency.spawn(self._follow, name='status')

    def stop(self) -> None:
        """Send STOPPING=1, after which systemd expects no more food for the watchdog."""
        self._stopped.set()
        send('STOPPING=1\nSTATUS=finishing what runs')

    def _follow(self) -> None:
        self._service.serving.wait(None if replaces() else ANNOUNCE_AFTER)
        if not self._stopped.is_set():
            send('READY=1')
        said = ''
        while not self._stopped.is_set():
            status = ' '.join('; '.join(self._service.health()).split())[:200] or 'serving'
            if status != said and not self._stopped.is_set():
                send(f'STATUS={status}')
                said = status
            (self._stopped if self._service.serving.is_set() else self._service.serving).wait(_STATUS_EVERY)

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
