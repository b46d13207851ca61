"""Read requests from what comes on a connection, without waiting: whoever has the bytes feeds them.

A request is complete when its head and its whole body are there, and only then needs a thread that serves it. The body
of a streamed request is left to the application.
"""

from __future__ import annotations

import io
import logging
import re
from dataclasses import dataclass
from typing import Any

from compute.exception import ComputeError, Invalid, TooLarge
from compute.http.body import Chunked, Decoder, Length, Malformed
from compute.http.head import Head, Refused, parse
from compute.http.rules import MAX_HEAD, MAX_LINE, Rules
from compute.http.stream import StreamedBody

LOG = logging.getLogger(__name__)
REFUSAL = 'compute.refusal'
"""Where the WSGI environment has the error for which the application must refuse the request."""
_BARE = re.compile(rb'(?<!\r)\n')
CONTINUE = b'HTTP/1.1 100 Continue\r\n\r\n'


@dataclass
class Request:
    """A request to serve. ``decoder`` reads the body of a streamed one; ``rest``: the body was not read to its end."""

    environ: dict[str, Any]
    keep: bool
    decoder: Decoder | None = None
    expects: bool = False
    rest: bool = False
    body: StreamedBody | None = None

    @property
    def streamed(self) -> bool:
        """Return whether it runs in a pool of streams."""
        return self.decoder is not None


class Reader:
    """The state of one connection. ``base`` is what every WSGI environment of it has; ``now`` is ``time.monotonic``."""

    def __init__(self, rules: Rules, base: dict[str, Any], now: float) -> None:
        self._rules, self._base = rules, base
        self.buffer = bytearray()
        self._head: Head | None = None
        self._decoder: Decoder | None = None
        self._body = bytearray()
        self._size = 0
        self._searched = 0
        self._came = 0
        self._began: float | None = None  # when the head or the body that is being read began
        self.since = now  # when it was last idle
        self.interim = b''  # is to be sent before more is read

    @property
    def idle(self) -> bool:
        """Return whether nothing of a request has come."""
        return self._began is None

    def feed(self, data: bytes, now: float) -> None:
        """Take bytes."""
        if self._began is None:
            self._began = now
        self._came += len(data)
        self.buffer += data

    def expires(self) -> float:
        """Return when the client is too slow: after a total time, or at less than the least rate."""
        rules = self._rules
        if self._began is None:
            return self.since + rules.idle_timeout
        total = rules.header_timeout if self._head is None else rules.body_timeout
        rate = self._came / rules.least_rate if rules.least_rate else total
        return self._began + min(total, rules.grace + rate)

    def take(self, now: float) -> Request | None:
        """Return the next request, or None until more has come. :raises Refused: its head is not served."""
        if self._head is None:
            head = self._take_head()
            if head is None:
                if not self.buffer:  # empty lines begin no request
                    self._began, self._came = None, 0
                return None
            self._head = head
            self._began, self._came = now, 0
            if (request := self._begin_body(head)) is not None:
                return self._finish(request, now)
        return self._take_body(self._head, now)

    def _take_head(self) -> Head | None:
        buffer = self.buffer
        while buffer[:2] == b'\r\n':  # of clients that end a body with an empty line
            del buffer[:2]
            self._searched = 0
        end = buffer.find(b'\r\n\r\n', max(0, self._searched - 3))
        if end < 0:
            self._check_part(buffer)
            self._searched = len(buffer)
            return None
        if end > MAX_HEAD:
            raise _too_long()
        raw = bytes(buffer[:end])
        del buffer[:end + 4]
        self._searched = 0
        head = parse(raw, self._base)
        head.keep = head.keep and self._rules.keep_alive
        return head

    def _check_part(self, buffer: bytearray) -> None:
        if _BARE.search(buffer, max(0, self._searched - 1)):
            raise Refused(400, 'A line of the headers does not end with CR LF')
        if len(buffer) > MAX_LINE and buffer.find(b'\r\n') < 0:
            raise Refused(414, f'The request line has more than {MAX_LINE} bytes')
        if len(buffer) > MAX_HEAD:
            raise _too_long()

    def _begin_body(self, head: Head) -> Request | None:
        """Return the request if its body is not to be read here."""
        self._decoder = decoder = Chunked() if head.length is None else Length(head.length)
        if self._rules.is_stream(head.environ):
            if head.length is None:
                head.environ['wsgi.input_terminated'] = True
            return Request(head.environ, head.keep, decoder, head.expects)
        if head.length is None or head.length <= self._rules.max_body:
            if head.expects and not decoder.done:
                self.interim = CONTINUE
            return None
        return self._refused(head, TooLarge(f'The body has {head.length} bytes; the limit is {self._rules.max_body}'))

    def _take_body(self, head: Head, now: float) -> Request | None:
        decoder, most = self._decoder, self._rules.max_body
        assert decoder is not None
        if not decoder.done and self.buffer:
            try:
                data = decoder.decode(self.buffer)
            except Malformed as error:
                refused = Invalid(f'The body of the request is malformed: {error}', code='malformed_body')
                return self._finish(self._refused(head, refused), now)
            self._size += len(data)
            self._body += data
            if self._size > most:
                return self._finish(self._refused(head, TooLarge(
                    f'The body has {self._size} bytes or more; the limit is {most}')), now)
        if not decoder.done:
            return None
        if self._size or head.length is None:
            _set_body(head.environ, bytes(self._body))
        else:
            head.environ['wsgi.input'] = io.BytesIO()
        return self._finish(Request(head.environ, head.keep), now)

    def give_up(self, late: bool, now: float) -> Request | None:
        """Return the request that ends here because its body broke off or came too slowly; None where nothing has come.

        :raises Refused: it ends in its head.
        """
        if self._began is None:
            return None
        if self._head is None:
            raise Refused(408, 'The headers came too slowly') if late else Refused(400, 'The headers broke off')
        has = f'{self._size} of {self._head.length}' if self._head.length is not None else f'{self._size}'
        error = Invalid(f'The body came too slowly: {has} bytes have come', status=408, code='body_too_slow') if late \
            else Invalid(f'The body broke off: {has} bytes have come', code='body_broken_off')
        return self._finish(self._refused(self._head, error), now)

    def _refused(self, head: Head, error: ComputeError) -> Request:
        environ = head.environ
        LOG.info('%s %s of %s is refused: %s', environ['REQUEST_METHOD'], ascii(environ['PATH_INFO'])[1:-1],
                 environ.get('REMOTE_ADDR', '-'), error.message)
        environ[REFUSAL] = error
        _set_body(environ, b'')
        return Request(environ, False, rest=True)

    def _finish(self, request: Request, now: float) -> Request:
        self._head = self._decoder = None
        self.interim = b''
        self._body, self._size, self._came = bytearray(), 0, len(self.buffer)
        self._began = now if self.buffer else None
        self.since = now
        return request

    def served(self, now: float) -> None:
        """Note that a request was answered: the next one's time begins now."""
        self.since = now
        self._began, self._came = (now, len(self.buffer)) if self.buffer else (None, 0)


def _set_body(environ: dict[str, Any], body: bytes) -> None:
    """Make the body one of a known length, which every application reads alike."""
    environ.pop('HTTP_TRANSFER_ENCODING', None)
    environ['CONTENT_LENGTH'] = str(len(body))
    environ['wsgi.input'] = io.BytesIO(body)


def _too_long() -> Refused:
    return Refused(431, f'The headers have more than {MAX_HEAD} bytes')
