"""What stands in the place of a broken image service: it answers 500 to everything, and later not at all.

The data of an image breaks off in the midst of it then."""

from __future__ import annotations

import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    hangs: threading.Event
    stopped: threading.Event


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        if self.server.hangs.is_set():
            if self.path.endswith('/file'):
                self._begin()
            self.server.stopped.wait(120)
            return
        self.send_response(500)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def _begin(self) -> None:
        """Begin to send data that never ends."""
        self.send_response(200)
        self.send_header('Content-Length', '4096')
        self.end_headers()
        self.wfile.write(b'z' * 1024)

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class BadImageService:
    """Listens until it is stopped. ``hangs``: when set it takes requests and answers none."""

    def __init__(self, port: int) -> None:
        self.hangs, self._stopped = threading.Event(), threading.Event()
        self._server = _Server(('127.0.0.1', port), _Handler)
        self._server.hangs, self._server.stopped = self.hangs, self._stopped
        threading.Thread(target=self._server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Drop every connection and listen no more."""
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
