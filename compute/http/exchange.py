"""Run a WSGI application for one request, and make the bytes of its answer."""

from __future__ import annotations

import logging
import re
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
_STATUS = re.compile('[2-9][0-9]{2}(?: [\t -~\x80-\xff]*)?')
_date = (0, '')


class Answer:
    """A response. ``data`` is sent at once; ``chunks``, if any, follow one by one."""

    def __init__(self, data: bytes, keep: bool, chunks: Iterator[bytes] | None = None, result: Any = None) -> None:
        self.data, self.keep, self.chunks = data, keep, chunks
        self._result = result

    def close(self) -> None:
        """Tell the application that its answer is needed no more."""
        _close(self._result)


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
        self.sent = False

    def __call__(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        if self.sent and exc_info is not None:  # too late for another response: the connection has to end
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return self.written.append


def run(app: Wsgi, request: Request, last: Callable[[], bool]) -> Answer:
    """Return the answer of ``app``. ``last`` tells afterwards whether it is the last one of its connection.

    The whole body is taken at once, and only that of a streamed request piece by piece: a client that is slow to
    receive it holds no slot.
    """
    started, result = _Started(), None
    try:
        result = app(request.environ, started)
        answer = _answer(request, started, result, last)
        if answer.chunks is not None:
            result = None  # whoever sends the chunks closes it
        return answer
    except BaseException:  # the thread has other requests to serve, whatever a library raises (SystemExit, Timeout)
        LOG.exception('%s %s failed', request.environ['REQUEST_METHOD'], ascii(request.environ['PATH_INFO'])[1:-1])
        return refusal(Refused(500, 'An unexpected error'))
    finally:
        _close(result)


def _answer(request: Request, started: _Started, result: Any, last: Callable[[], bool]) -> Answer:
    if isinstance(result, list | tuple) or not request.streamed:
        parts = result if isinstance(result, list | tuple) else list(result)
        body = b''.join([*started.written, *parts]) if started.written or len(parts) != 1 else parts[0]
        return _whole(request, started, body, last)
    chunks, first = iter(result), []
    while not started.status and (chunk := next(chunks, None)) is not None:
        first.append(chunk)
    return _streamed(request, started, _after([*started.written, *first], chunks), result, last)


def _close(result: Any) -> None:
    close = getattr(result, 'close', None)
    if close is None:
        return
    try:
        close()
    except Exception:
        LOG.exception('a response could not be closed')


def _after(first: list[bytes], chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    yield from chunks


def _whole(request: Request, started: _Started, body: bytes, last: Callable[[], bool]) -> Answer:
    size = _length(started)
    keep = request.keep and not request.rest and not last()
    if _has_no_body(request, started):
        return Answer(_head(request, started, keep, ''), keep)
    if size is None:
        return Answer(_head(request, started, keep, f'Content-Length: {len(body)}\r\n') + body, keep)
    if size != len(body):
        raise ValueError(f'the answer has {len(body)} bytes, and its Content-Length is {size}')
    return Answer(_head(request, started, keep, '') + body, keep)


def _streamed(request: Request, started: _Started, chunks: Iterator[bytes], result: Any,
              last: Callable[[], bool]) -> Answer:
    size = _length(started)
    keep = request.keep and not request.rest and not last()
    started.sent = True
    if _has_no_body(request, started):
        return Answer(_head(request, started, keep, ''), keep)
    if size is not None:
        return Answer(_head(request, started, keep, ''), keep, _exactly(chunks, size), result)
    if request.environ['SERVER_PROTOCOL'] == 'HTTP/1.0':
        return Answer(_head(request, started, False, ''), False, chunks, result)
    return Answer(_head(request, started, keep, 'Transfer-Encoding: chunked\r\n'), keep, _in_chunks(chunks), result)


def _has_no_body(request: Request, started: _Started) -> bool:
    return request.environ['REQUEST_METHOD'] == 'HEAD' or started.status[:3] in _BODILESS


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
    status, headers = started.status, started.headers
    if not _STATUS.fullmatch(status):
        raise ValueError(f'the status of the answer is {status!r}')
    if status.startswith('204'):  # RFC 9110, section 8.6
        headers = [each for each in headers if each[0].lower() != 'content-length']
    fields = ''.join([f'{name}: {value}\r\n' for name, value in headers])
    if fields.count('\n') != len(headers) or fields.count('\r') != len(headers):
        raise ValueError('a header of the answer has a line feed in it')
    if not keep:
        more += 'Connection: close\r\n'
    elif request.environ['SERVER_PROTOCOL'] == 'HTTP/1.0':
        more += 'Connection: keep-alive\r\n'
    return f'HTTP/1.1 {status}\r\n{fields}{more}Date: {_now()}\r\n\r\n'.encode('latin-1')


def _now() -> str:
    global _date
    second = int(time.time())
    if _date[0] != second:
        _date = second, formatdate(second, usegmt=True)
    return _date[1]
