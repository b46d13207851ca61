"""What a daemon on green threads still owes an answer to when it stops, and how it hands requests on."""

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
http._connections[id(connection)] = [address, connection, http._idle, 0.0]
assert http.busy() == 0, 'nothing was asked yet'
client.sendall(b'GET / HTTP/1.1\\r\\n\\r\\n')
eventlet.sleep(0)
with eventlet.Timeout(5):
    while not http.busy():
        eventlet.sleep(0.01)
assert http.busy() == 1
"""


REQUEST = """
import json
from compute import concurrency
concurrency.patch('eventlet')
import eventlet

def told(environ, start):
    body = json.dumps({name: value for name, value in environ.items() if isinstance(value, str)}).encode()
    start('200 OK', [('Content-Length', str(len(body)))])
    return [body]
listener = eventlet.listen(('127.0.0.1', 0))
http = concurrency.GreenHttp(told, listener, 4)
http.start()

def ask(*lines):
    client = eventlet.connect(listener.getsockname())
    client.sendall('\\r\\n'.join(['POST /a%0Ab HTTP/1.1', 'Host: here', 'Connection: close', *lines, '', '']).encode())
    with eventlet.Timeout(20):
        answer = b''.join(iter(lambda: client.recv(65536), b''))
    return json.loads(answer.partition(b'\\r\\n\\r\\n')[2])
assert ask()['CONTENT_TYPE'] == ''
assert ask()['PATH_INFO'] == '/a\\nb'
assert ask('Content-Type: text/plain')['CONTENT_TYPE'] == 'text/plain'
folded = ask('X-Folded: a,', '  b\\tc,', '\\td', 'Content-Type: text/plain;', ' charset=x', 'X-Plain: a  b')
assert folded['HTTP_X_FOLDED'] == 'a, b\\tc, d', folded
assert folded['CONTENT_TYPE'] == 'text/plain; charset=x', folded
assert folded['HTTP_X_PLAIN'] == 'a  b', folded
"""


def succeeds(script: str) -> None:
    """Run a script in a process of its own."""
    done = subprocess.run([sys.executable, '-W', 'ignore', '-c', script], cwd=ROOT, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_request_that_was_not_read_yet_counts() -> None:
    succeeds(RUN)


def test_headers_are_handed_on_as_the_other_server_does() -> None:
    succeeds(REQUEST)
