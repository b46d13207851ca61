"""What the garbage collector does in a daemon: little while requests are answered, and a full collection now and then.

What was loaded at the start stays, so it is left out: walking it would hold up every thread. What remains is small, and
CPython would look at all of it only after very many allocations. But circles hold more than memory: a connection to the
broker that was lost is one, of objects of kombu and amqp, with its socket and 128 KiB of buffer. And what is free again
stays with the process: glibc gives back only what lies at an end, so it is asked to give back the holes.
"""

from __future__ import annotations

import ctypes
import gc
import threading
import time

SPACING = 20.0
SHARE = 0.001
_THRESHOLDS = 20000, 20, 50
_TRIM = getattr(ctypes.CDLL(None), 'malloc_trim', None)  # other C libraries have none


def settle(serving: threading.Event, stop: threading.Event) -> None:
    """Once the daemon serves, leave what is there out of collections; collect in time until it stops."""
    serving.wait()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    collect(stop, SPACING)


def collect(stop: threading.Event, spacing: float) -> None:
    """Collect everything every ``spacing`` seconds until ``stop``; less often where that took too long."""
    pause = spacing
    while not stop.wait(pause):
        begin = time.monotonic()
        gc.collect()
        if _TRIM is not None:
            _TRIM(0)
        pause = max(spacing, (time.monotonic() - begin) / SHARE)
