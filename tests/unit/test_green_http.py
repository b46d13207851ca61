"""What a daemon on green threads still owes an answer to when it stops."""

from __future__ import annotations

import subprocess
import sys

from tests.functional.standalone import ROOT

RUN = """
import socket
from compute import concurrency
concurrency.patch('eventlet')
import eventlet
listener = eventlet.listen(('127.0.0.1', 0))
http = concurrency.GreenHttp(lambda environ, start: [], listener, 4)
client = eventlet.connect(listener.getsockname())
connection, address = listener.accept()
http._connections[id(connection)] = [address, connection, http._idle]
assert http.busy() == 0, 'nothing was asked yet'
client.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
eventlet.sleep(0)
with eventlet.Timeout(5):
    while not http.busy():
        eventlet.sleep(0.01)
assert http.busy() == 1
"""


def test_a_request_that_was_not_read_yet_counts() -> None:
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', RUN], cwd=ROOT, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
