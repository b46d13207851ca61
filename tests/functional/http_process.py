"""A process with an HTTP server and nothing else, for tests of its end; its arguments are port and grace.

``/slow`` takes until somebody asks for ``/go``; ``/inside`` is answered once it runs. SIGTERM ends the process in
order; it exits with 0 when every request was answered.
"""

from __future__ import annotations

from compute import concurrency

concurrency.patch()

import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from typing import Any  # noqa: E402

from compute.http_server import HttpServer  # noqa: E402
from tests.waiting import LONG, deadline  # noqa: E402

INSIDE, GO = threading.Event(), threading.Event()


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer with the number of this process."""
    if environ['PATH_INFO'] == '/slow':
        INSIDE.set()
        GO.wait(LONG)
    elif environ['PATH_INFO'] == '/inside':
        INSIDE.wait(LONG)
    elif environ['PATH_INFO'] == '/go':
        GO.set()
    body = str(os.getpid()).encode()
    start_response('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', str(len(body)))])
    return [body]


def main() -> None:
    """Serve until SIGTERM."""
    told = concurrency.Mailbox()
    signal.signal(signal.SIGTERM, lambda number, frame: told.put(number))
    server = HttpServer(application, '127.0.0.1', int(sys.argv[1]), 20)
    server.start()
    sys.stdout.write('ready\n')
    sys.stdout.flush()
    told.get()
    answered = server.drain(float(sys.argv[2]), deadline(2 * LONG))
    os._exit(0 if answered else 1)


main()
