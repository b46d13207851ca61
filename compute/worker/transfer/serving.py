"""An open offer: its listener, and the connections to it.

One thread accepts, and each connection has a thread, ``_MOST`` at once. A connection that is not admitted within
``_HELLO`` seconds is closed. When there is no room for a new one, the oldest that is not admitted yet is closed, so
that slow clients do not lock out the destination. A thread breaks the connection of another one through a second
descriptor (``Visitor.shut``), which wakes the thread that uses the first.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any

from compute import concurrency, metrics
from compute.worker.transfer.admission import Admission
from compute.worker.transfer.framing import VERSION, Ended, FramedSocket
from compute.worker.transfer.outgoing import Outgoing
from compute.worker.transfer.throttle import Throttle

LOG = logging.getLogger(__name__)
_MOST = 8
_HELLO = 10.0
_LOOK = 0.2
_SILENCE = 300.0
"""Seconds for which an admitted client may neither send nor take anything: it may be writing to a slow disk."""
_END = 5.0


class Visitor:
    """A connection to the listener, from its acceptance to its end."""

    def __init__(self, raw: socket.socket, address: str) -> None:
        self.address, self.admitted = address, False
        self.since = time.monotonic()
        self.shutting, self.ended = threading.Event(), threading.Event()
        try:
            self._raw, self._handle = raw, raw.dup()
        except OSError:
            raw.close()
            raise

    def secure(self, context: ssl.SSLContext, stack: ExitStack) -> FramedSocket:
        """Return the connection in TLS. :raises OSError: the client does not speak TLS 1.3, or is gone."""
        tls = stack.enter_context(context.wrap_socket(
            self._raw, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False))
        wire = FramedSocket(tls, _HELLO)
        wire.handshake()
        return wire

    def shut(self) -> None:
        """Break the connection; the thread that serves it ends soon."""
        self.shutting.set()
        with suppress(OSError):
            self._handle.shutdown(socket.SHUT_RDWR)

    def pace(self, throttle: Throttle, count: int) -> None:
        """Wait for the host's turn to send. :raises OSError: the connection was broken by ``shut``."""
        throttle.take(count, self.shutting.wait)
        if self.shutting.is_set():
            raise ConnectionAbortedError('the transfer has ended here')

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
        self._handle.close()
        self.ended.set()


class OpenOffer:
    """Serves the files of one offer until it is closed: by ``close``, at the client's word, or after its lifetime.

    :param on_close: called once, when nothing listens any more.
    """

    def __init__(self, key: str, files: Mapping[str, Outgoing], admission: Admission, context: ssl.SSLContext,
                 throttle: Throttle, on_close: Callable[[OpenOffer], None]) -> None:
        self.key = key
        self._files, self._admission, self._context = files, admission, context
        self._throttle, self._on_close = throttle, on_close
        self._lock, self._sending = threading.Lock(), threading.Lock()
        self._visitors: set[Visitor] = set()
        self._over = threading.Event()
        self._thread: concurrency.Thread | None = None

    def start(self, listener: socket.socket, lifetime: float) -> None:
        """Begin to accept."""
        self._listener, self._until = listener, time.monotonic() + lifetime
        self._thread = concurrency.spawn(self._accept, name='transfer-accept')

    def close(self, why: str, keep: Visitor | None = None) -> None:
        """Stop listening and break every connection but one; a second call changes nothing."""
        with self._lock:
            if self._over.is_set():
                return
            self._over.set()
            visitors = list(self._visitors)
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # refuses at once, and wakes the thread that accepts
        for visitor in visitors:
            if visitor is not keep:
                visitor.shut()
        LOG.info('transfer %s: %s, nothing listens any more', self.key, why)
        self._on_close(self)

    def join(self) -> None:
        """Wait until its threads have ended, a few seconds at most."""
        until = time.monotonic() + _END
        if self._thread is not None:
            self._thread.join(_END)
        with self._lock:
            visitors = list(self._visitors)
        for visitor in visitors:
            visitor.ended.wait(max(0.0, until - time.monotonic()))

    # -- accepting --

    def _accept(self) -> None:
        try:
            self._listener.settimeout(_LOOK)
            while not self._over.is_set():
                self._look()
                try:
                    self._welcome(*self._listener.accept())
                except (TimeoutError, BlockingIOError):
                    continue
                except OSError as error:
                    if not self._over.wait(_LOOK):
                        LOG.warning('transfer %s: a connection could not be accepted: %s', self.key, error)
        finally:
            self.close('its listener failed')
            self._listener.close()

    def _look(self) -> None:
        """Close the offer when its lifetime is over, and connections that take too long to present the token."""
        now = time.monotonic()
        if now >= self._until:
            self.close('its lifetime is over')
        for visitor in self._waiting():
            if now - visitor.since >= _HELLO:
                visitor.shut()

    def _waiting(self) -> list[Visitor]:
        with self._lock:
            return [each for each in self._visitors if not each.admitted and not each.shutting.is_set()]

    def _welcome(self, raw: socket.socket, client: tuple[Any, ...]) -> None:
        address = str(client[0])
        if not self._admission.expects(address):
            self._refused(address, 'peer')
        elif not self._has_room():
            self._refused(address, 'crowd')
        else:
            visitor = Visitor(raw, address)
            with self._lock:
                over = self._over.is_set()
                if not over:
                    self._visitors.add(visitor)
            if over:
                visitor.close()
            else:
                concurrency.spawn(self._serve, visitor, name='transfer-serve')
            return
        raw.close()

    def _has_room(self) -> bool:
        if len(self._visitors) < _MOST:
            return True
        if oldest := min(self._waiting(), key=lambda each: each.since, default=None):
            oldest.shut()
            oldest.ended.wait(_END)
        return len(self._visitors) < _MOST

    def _refused(self, address: str, reason: str) -> None:
        if self._over.is_set() and reason in ('tls', 'hello'):
            return  # it was broken by us
        metrics.count('compute_transfer_refused_total', reason)
        LOG.warning('transfer %s: a connection of %s is refused: %s', self.key, address, _REASONS[reason])

    # -- serving --

    def _serve(self, visitor: Visitor) -> None:
        try:
            with ExitStack() as stack:
                wire = self._secured(visitor, stack)
                if wire is not None and self._admit(visitor, wire):
                    self._serve_admitted(visitor, wire)
        except OSError as error:
            LOG.info('transfer %s: the connection of %s ended: %s', self.key, visitor.address, error)
        finally:
            with self._lock:
                self._visitors.discard(visitor)
            visitor.close()

    def _secured(self, visitor: Visitor, stack: ExitStack) -> FramedSocket | None:
        try:
            return visitor.secure(self._context, stack)
        except OSError as error:
            LOG.debug('transfer %s: %s', self.key, error)
            self._refused(visitor.address, 'tls')
            return None

    def _admit(self, visitor: Visitor, wire: FramedSocket) -> bool:
        try:
            hello = wire.receive_message()
        except OSError as error:
            LOG.debug('transfer %s: %s', self.key, error)
            self._refused(visitor.address, 'hello')
            return False
        if (self._over.is_set() or hello.get('version') != VERSION
                or not self._admission.admits(hello.get('token'), hello.get('session'))):
            self._refused(visitor.address, 'token')
            wire.end()
            return False
        visitor.admitted, wire.silence = True, _SILENCE
        return True

    def _serve_admitted(self, visitor: Visitor, wire: FramedSocket) -> None:
        """Serve the client, after its older connections have ended: it connects anew when those are broken."""
        with self._lock:
            older = [each for each in self._visitors if each.admitted and each.since < visitor.since]
        for each in older:
            each.shut()
        if not self._sending.acquire(timeout=_SILENCE):
            return
        try:
            wire.send_message({'welcome': True})
            while self._answer(visitor, wire, self._request(wire)):
                pass
        finally:
            self._sending.release()

    def _request(self, wire: FramedSocket) -> dict[str, Any] | None:
        try:
            return wire.receive_message()
        except Ended:
            return None

    def _answer(self, visitor: Visitor, wire: FramedSocket, request: dict[str, Any] | None) -> bool:
        """Answer a request; return whether another may follow."""
        if request is None:
            return False
        if request.get('done'):
            self.close('everything was fetched', keep=visitor)
            wire.send_message({'done': True})
            return False
        file, start = self._files.get(str(request.get('file'))), request.get('from')
        if file is None or not isinstance(start, int):
            self._refused(visitor.address, 'file')
            wire.end()
            return False
        file.send(wire, start, lambda count: visitor.pace(self._throttle, count))
        return True


_REASONS = {
    'peer': 'it is not the host that the offer is for', 'crowd': 'too many connections are open',
    'tls': 'it did not speak TLS 1.3, or was too slow', 'hello': 'its first message is malformed, or too slow',
    'token': 'its token is wrong, or belongs to another client', 'file': 'it asks for a file that was not offered'}
