"""What signals ask of a process of daemons.

A handler runs in the middle of whatever the main thread does, which may hold any lock: so handlers take none, they only
leave word for a thread of ours.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from compute import concurrency

LOG = logging.getLogger(__name__)


def obey(stop: Callable[[], Any], reload: Callable[[], Any]) -> None:
    """Call ``stop`` after SIGTERM or SIGINT, whose second one ends the process at once; ``reload`` after SIGHUP."""
    words, asked = concurrency.Mailbox(), False

    def on_stop(number: int, frame: Any) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        words.put(stop)
    signal.signal(signal.SIGTERM, on_stop)
    signal.signal(signal.SIGINT, on_stop)
    signal.signal(signal.SIGHUP, lambda number, frame: words.put(partial(concurrency.spawn, reload, name='reload')))
    signal.signal(signal.SIGUSR1, lambda number, frame: words.put(stop))
    concurrency.spawn(_read, words, name='signals')


def stop_this_process() -> None:
    """Ask for the stop of this process in order. It may be asked for again, which does not hurry it."""
    os.kill(os.getpid(), signal.SIGUSR1)


def _read(words: concurrency.Mailbox) -> None:
    while (act := words.get()) is not None:
        try:
            act()
        except Exception:
            LOG.exception('what a signal asked for failed')
