"""Run a WSGI application for one request, and make the bytes of its answer."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import orjson

from compute.http.head import Refused
from compute.http.reader import Request

LOG = logging.getLogger(__name__)
Wsgi = Callable[[dict[str, Any], Any], Any]
_TITLES = {400: 'Bad Request', 408: 'Request Timeout', 414: 'URI Too Long', 431: 'Request Header Fields Too Large',
           500: 'Internal Server Error', 501: 'Not Implemented', 503: 'Service Unavailable',
           505: 'HTTP Version Not Supported'}
_BODILESS = ('204', '304')
_date = (0, '')


class Answer:
    """A response. ``data`` is sent at once; ``chunks``, if any, follow one by one."""

    def __init__(self, data: bytes, keep: bool, chunks: Iterator[bytes] | None = None,
                 close: Callable[[], None] | None = None) -> None:
        self.data, self.keep, self.chunks = data, keep, chunks
        self._close = close

    def close(self) -> None:
        """Tell the application that its answer is needed no more."""
        if self._close is not None:
            self._close()


def base_environ(name: str, port: int, client: tuple[Any, ...]) -> dict[str, Any]:
    """Return the part of the WSGI environment that all requests of a connection share."""
    return {'SCRIPT_NAME': '', 'SERVER_NAME': name, 'SERVER_PORT': str(port), 'REMOTE_ADDR': str(client[0]),
            'REMOTE_PORT': str(client[1]), 'wsgi.version': (1, 0), 'wsgi.url_scheme': 'http',
            'wsgi.errors': sys.stderr, 'wsgi.multithread': True, 'wsgi.multiprocess': False, 'wsgi.run_once': False}


def refusal(error: Refused) -> Answer:
    """Return the response to an unparsable request."""
    title = _TITLES.get(error.status, 'Bad Request')
    body = orjson.dumps({'error': {'code': error.status, 'title': title, 'message': error.message}})
    more = 'Retry-After: 5\r\n' if error.status == 503 else ''
    head = (f'HTTP/1.1 {error.status} {title}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n'
            f'{more}Date: {_now()}\r\nConnection: close\r\n\r\n')
    return Answer(head.encode('latin-1') + body, keep=False)


class _Started:
    """The arguments of ``start_response``."""

    def __init__(self) -> None:
        self.status = ''
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        self.status, self.headers = status, headers
        return self.written.append


def run(app: Wsgi, request: Request, last: Callable[[], bool]) -> Answer:
    """Return the answer of ``app``. ``last`` tells afterwards whether it is the last one of its connection."""
    started = _Started()
    try:
        result = app(request.environ, started)
        return _answer(request, started, result, last)
    except Exception:
        LOG.exception('%s %s failed', request.environ['REQUEST_METHOD'], ascii(request.environ['PATH_INFO'])[1:-1])
        return refusal(Refused(500, 'An unexpected error'))


def _answer(request: Request, started: _Started, result: Any, last: Callable[[], bool]) -> Answer:
    close = getattr(result, 'close', None)
    if isinstance(result, list | tuple):
        body = b''.join([*started.written, *result]) if started.written or len(result) != 1 else result[0]
        answer = _whole(request, started, body, last)
        if close is not None:
            close()
        return answer
    chunks = iter(result)
    first = next(chunks, b'') if not started.status else b''
    return _streamed(request, started, _after([*started.written, first], chunks), close, last)


def _after(first: list[bytes], chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    yield from chunks


def _whole(request: Request, started: _Started, body: bytes, last: Callable[[], bool]) -> Answer:
    size = _length(started)
    keep = request.keep and not request.rest and not last()
    if request.environ['REQUEST_METHOD'] == 'HEAD' or started.status[:3] in _BODILESS:
        body = b''
        more = ''
    elif size is None:
        more = f'Content-Length: {len(body)}\r\n'
    else:
        more = ''
        keep = keep and size == len(body)
    return Answer(_head(request, started, keep, more) + body, keep)


def _streamed(request: Request, started: _Started, chunks: Iterator[bytes], close: Callable[[], None] | None,
              last: Callable[[], bool]) -> Answer:
    size = _length(started)
    keep = request.keep and not request.rest and not last()
    if request.environ['REQUEST_METHOD'] == 'HEAD' or started.status[:3] in _BODILESS:
        if close is not None:
            close()
        return Answer(_head(request, started, keep, ''), keep)
    if size is not None:
        return Answer(_head(request, started, keep, ''), keep, _exactly(chunks, size), close)
    if request.environ['SERVER_PROTOCOL'] == 'HTTP/1.0':
        return Answer(_head(request, started, False, ''), False, chunks, close)
    return Answer(_head(request, started, keep, 'Transfer-Encoding: chunked\r\n'), keep, _in_chunks(chunks), close)


def _exactly(chunks: Iterator[bytes], size: int) -> Iterator[bytes]:
    """Pass on ``size`` bytes. :raises OSError: there are fewer; the connection must end, or the client would wait."""
    left = size
    for chunk in chunks:
        yield chunk[:left]
        left -= min(left, len(chunk))
    if left:
        raise OSError(f'{left} of {size} bytes of the answer are missing')


def _in_chunks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if chunk:
            yield b'%x\r\n%b\r\n' % (len(chunk), chunk)
    yield b'0\r\n\r\n'


def _length(started: _Started) -> int | None:
    for name, value in started.headers:
        if name.lower() == 'content-length':
            return int(value)
    return None


def _head(request: Request, started: _Started, keep: bool, more: str) -> bytes:
    fields = ''.join([f'{name}: {value}\r\n' for name, value in started.headers])
    if fields.count('\n') != len(started.headers) or fields.count('\r') != len(started.headers):
        raise ValueError('a header of the answer has a line feed in it')
    if not keep:
        more += 'Connection: close\r\n'
    elif request.environ['SERVER_PROTOCOL'] == 'HTTP/1.0':
        more += 'Connection: keep-alive\r\n'
    return f'HTTP/1.1 {started.status}\r\n{fields}{more}Date: {_now()}\r\n\r\n'.encode('latin-1')


def _now() -> str:
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = second, formatdate(second, usegmt=True)
    return _date[1]


@contextlib.contextmanager
def closing(answer: Answer) -> Iterator[Answer]:
    """Close an answer at the end, whatever happens."""
    try:
        yield answer
    finally:
        try:
            answer.close()
        except Exception:
            LOG.exception('a response could not be closed')
