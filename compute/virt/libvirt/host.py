"""The connection to libvirtd, and the only place from which its C functions are called.

A connection breaks when libvirtd is restarted (guests go on) or when it stops answering: keepalive finds that within
twenty seconds and fails every call that waits. Whoever calls next opens a new one; a thread does so as well, so that
events flow again even when nobody calls. A call that met a broken connection is sent once more by itself.
Until then calls to a libvirtd that hangs each hold a native thread. On green threads those are few and all blocking
calls of the process share them, so only some may be in libvirt at once; it answers five at a time anyway.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import libvirt
from oslo_config import cfg

from compute import concurrency, exception
from compute.virt.driver import GuestEvent
from compute.virt.libvirt import events

T = TypeVar('T')
LOG = logging.getLogger(__name__)

KEEPALIVE_INTERVAL, KEEPALIVE_COUNT, OPEN_TIMEOUT = 5, 3, 30
CALLS_AT_ONCE = 12
_BROKEN = (libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_INVALID_CONN, libvirt.VIR_ERR_AUTH_UNAVAILABLE)
_MAYBE_BROKEN = (libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR, libvirt.VIR_ERR_RPC)
_REMOTE = (libvirt.VIR_FROM_REMOTE, libvirt.VIR_FROM_RPC)


class Host:
    """A connection that opens itself again. Safe to use from many threads."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._uri: str = conf.libvirt.connection_uri
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(CALLS_AT_ONCE)
        self._connection: Any = None
        self._opening: Future[Any] | None = None
        self._serial = 0
        self._mailbox: concurrency.Mailbox | None = None
        self._stopped = threading.Event()
        self._on_event: Callable[[GuestEvent], None] | None = None

    def start(self, on_event: Callable[[GuestEvent], None]) -> None:
        """Connect and deliver events. A libvirtd that is down is no error: it is waited for in the background."""
        self._on_event = on_event
        mailbox = concurrency.Mailbox()
        with self._lock:
            # A call may have come first, and to what it opened nobody is subscribed.
            self._mailbox, self._connection = mailbox, None
            self._stopped.clear()
        concurrency.spawn(self._deliver, mailbox, name='libvirt-deliver')
        try:
            self.connection()
        except exception.Unavailable as error:
            LOG.warning('%s; trying again until it does', error.message)
            concurrency.spawn(self._reconnect, name='libvirt-reconnect')

    def stop(self) -> None:
        """Close the connection and deliver nothing more."""
        self._stopped.set()
        with self._lock:
            connection, self._connection = self._connection, None
            mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            mailbox.close()
        if connection is not None:
            concurrency.offload(_close, connection)

    # -- calls --

    def connection(self) -> Any:
        """Return the open connection, opening it if need be. :raises Unavailable: libvirtd does not answer."""
        with self._lock:
            if self._connection is not None:
                return self._connection
            if self._opening is None:
                self._opening = Future()
                concurrency.spawn(self._try_to_open, self._opening, name='libvirt-open')
            opening = self._opening
        try:
            return opening.result(OPEN_TIMEOUT)
        except libvirt.libvirtError as error:
            raise self._unavailable(error) from error
        except TimeoutError as error:
            raise self._unavailable(f'no answer within {OPEN_TIMEOUT} seconds') from error

    def _try_to_open(self, opening: Future[Any]) -> None:
        """Open in a thread of its own: to a libvirtd that hangs this may take for ever, and one such wait is enough."""
        connection, failure, mailbox = None, None, self._mailbox
        try:
            connection = concurrency.offload(self._open, mailbox)
        except Exception as error:
            failure = error
        with self._lock:
            started = connection is not None and self._mailbox not in (None, mailbox)
            if not started:
                self._connection, self._opening = connection, None
        if started:  # meanwhile: what is open now does not tell the new mailbox anything
            concurrency.offload(_close, connection)
            self._try_to_open(opening)
            return
        if self._stopped.is_set():
            self.stop()
        if failure is not None:
            opening.set_exception(failure)
        else:
            opening.set_result(connection)

    def _open(self, mailbox: concurrency.Mailbox | None) -> Any:
        events.start_loop()
        connection = libvirt.open(self._uri)
        connection.setKeepAlive(KEEPALIVE_INTERVAL, KEEPALIVE_COUNT)
        if mailbox is not None:
            self._serial += 1
            events.subscribe(connection, mailbox, self._serial)
        return connection

    def run(self, function: Callable[[Any], T]) -> T:
        """Call ``function`` with the connection where it may block. A broken connection is replaced once.

        ``function`` may run twice, so it shall do one thing that can be done twice, and touch nothing but libvirt.

        :raises Unavailable: libvirtd does not answer.
        :raises NotFound: no such domain.
        :raises Failed: all else; ``details['libvirt_code']`` is libvirt's number.
        """
        for last in (False, True):
            connection = self.connection()
            try:
                with self._turns:
                    return concurrency.offload(function, connection)
            except libvirt.libvirtError as error:
                if not is_broken(error):
                    raise translated(error) from error
                self._drop(connection)
                if last:
                    raise self._unavailable(error) from error
        raise AssertionError('not reached')

    def healthy(self) -> str | None:
        """Return why libvirtd does not answer, or None."""
        try:
            self.run(lambda connection: connection.getLibVersion())
        except exception.ComputeError as error:
            return error.message
        return None

    def _unavailable(self, error: object) -> exception.Unavailable:
        return exception.Unavailable(f'libvirt at {self._uri} does not answer: {error}', code='hypervisor_down',
                                     hint='see whether libvirtd runs on the host')

    # -- the end of a connection --

    def _drop(self, connection: Any) -> None:
        with self._lock:
            if self._connection is connection:
                self._connection = None

    def _deliver(self, mailbox: concurrency.Mailbox) -> None:
        """Bring events to whoever wants them, in a thread of ours."""
        while (item := mailbox.get()) is not None:
            if item[0] == events.CLOSED:
                self._lost(item[1], item[2])
                continue
            event = events.guest_event(*item)
            if event is None or self._on_event is None:
                continue
            try:
                self._on_event(event)
            except Exception:
                LOG.exception('event %s was not taken', event)

    def _lost(self, serial: int, reason: int) -> None:
        if self._stopped.is_set():
            return
        with self._lock:
            if serial != self._serial:
                return
            self._connection = None
        LOG.warning('the connection to libvirt at %s was lost (reason %s)', self._uri, reason)
        concurrency.spawn(self._reconnect, name='libvirt-reconnect')

    def _reconnect(self) -> None:
        wait = 0.5
        while not self._stopped.wait(wait):
            try:
                self.connection()
            except exception.Unavailable:
                wait = min(wait * 1.5, 10.0)
            else:
                LOG.info('connected to libvirt at %s', self._uri)
                return


def is_broken(error: libvirt.libvirtError) -> bool:
    """Tell whether an error means that the connection, not the call, failed."""
    code = error.get_error_code()
    return code in _BROKEN or (code in _MAYBE_BROKEN and error.get_error_domain() in _REMOTE)


def translated(error: libvirt.libvirtError) -> exception.ComputeError:
    """Return what a libvirt error is in our kinds."""
    code, message = error.get_error_code(), error.get_error_message() or str(error)
    if code == libvirt.VIR_ERR_NO_DOMAIN:
        return exception.NotFound(f'no such guest: {message}', code='guest_not_found')
    return exception.Failed(f'libvirt: {message}', code='libvirt', details={'libvirt_code': code})


def _close(connection: Any) -> None:
    for end in (connection.unregisterCloseCallback, connection.close):  # one that nobody subscribed to has no callback
        try:
            end()
        except libvirt.libvirtError as error:
            LOG.debug('closing the connection: %s', error)
