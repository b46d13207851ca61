"""A process with an HTTP server and nothing else, for tests of its end; its arguments are port and grace.

``/slow`` takes a second. SIGTERM ends it in order; it exits with 0 when every request was answered.
"""

from __future__ import annotations

from compute import concurrency

concurrency.patch()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from typing import Any  # noqa: E402

from compute.http_server import HttpServer  # noqa: E402


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the number of this process."""
    if environ['PATH_INFO'] == '/slow':
        threading.Event().wait(1)
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]


def main() -> None:
    """Serve until SIGTERM."""
    stop: list[int] = []  # a handler takes no lock
    signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
    server = HttpServer(application, '127.0.0.1', int(sys.argv[1]), 20)
    server.start()
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    while not stop:
        time.sleep(0.05)
    answered = server.drain(float(sys.argv[2]), time.monotonic() + 15)
    os._exit(0 if answered else 1)


main()
