"""The HTTP server of every daemon, and the shape of its end: no request is lost because a process stops.

It stops in steps. First answers say ``Connection: close``, while new connections are still taken: whoever asks again
within this time is told to connect anew. Then no connection is taken any more, what runs is finished, and connections
on which nothing came in all this time are closed, each at a moment at which it is seen that nothing has come.

The listening socket may be given by systemd or by a supervising parent (``inherited``). Then it outlives this process:
what is not accepted here waits for the next one, and nothing is refused while a daemon is restarted. ``http_green`` and
``http_threads`` serve connections; what they have in common is in ``http``.
"""

from __future__ import annotations

import os
import resource
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from compute import concurrency
from compute.http.rules import Rules
from compute.http_green import GreenHttp
from compute.http_threads import ThreadedHttp
from compute.http_workers import Workers

PARENT = 'COMPUTE_SUPERVISOR'
OWN = 'COMPUTE_SUPERVISOR_PORTS'  # whose sockets end with the parent: each process takes all that wait at its end
_FIRST = 3  # the number of the first descriptor that systemd passes
_LOOK = 0.05
_FRESH = 0.5  # seconds in which who just connected, or got an answer, may ask
_LAST = 1.0  # seconds for what runs when a server is to end soon
_BACKLOG = 512
_DESCRIPTORS = 65536
_RULES = Rules()
_given: dict[int, int] | None = None


def inherited(host: str, port: int) -> socket.socket | None:
    """Return the listening socket on this port that the process was started with (LISTEN_FDS), if there is one.

    It came from systemd, or from the parent of several processes (``supervisor.py``).

    The variables are taken out of the environment, so that no child believes they are meant for it.
    """
    global _given
    if _given is None:
        _given = _read_given()
    descriptor = _given.pop(port, None)
    if descriptor is None:
        return None
    listener = socket.socket(_family(host), socket.SOCK_STREAM, 0, fileno=descriptor)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _read_given() -> dict[int, int]:
    pid, count = os.environ.pop('LISTEN_PID', ''), os.environ.pop('LISTEN_FDS', '')
    os.environ.pop('LISTEN_FDNAMES', None)
    mine = pid == str(os.getpid()) or os.environ.get(PARENT) == str(os.getppid())
    if not mine or not count.isdigit():
        return {}
    found = {}
    for descriptor in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(descriptor, False)
        with suppress(OSError):
            probe = socket.socket(fileno=os.dup(descriptor)) if not concurrency.is_green() else socket.socket(
                socket.AF_INET, socket.SOCK_STREAM, 0, fileno=os.dup(descriptor))
            with probe:
                found[int(probe.getsockname()[1])] = descriptor
    return found


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ':' in host else socket.AF_INET


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. :raises OSError: why not, with the address."""
    listener = socket.socket(_family(host), socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f'cannot listen on {host}:{port}: {error.strerror}') from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.listen(_BACKLOG)
    return listener


def allow_descriptors() -> None:
    """Raise the limit of open files to the hard limit, which its systemd unit sets.

    Each connection is one; shells mostly give a process 1024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _waits(listener: socket.socket) -> bool:
    return bool(select.select([listener], [], [], 0)[0])


class Backend(Protocol):
    """The protocol of connection servers, on green or on native threads."""

    def start(self) -> None:
        """Begin to accept."""

    def refuse(self, empty: bool) -> None:
        """Accept no more; with ``empty`` after all that wait already."""

    def last_answers(self) -> None:
        """Make every further answer the last one of its connection."""

    def busy(self) -> int:
        """Return how many requests run."""

    def connections(self) -> int:
        """Return how many connections are open."""

    def close_idle(self, age: float) -> None:
        """Close connections on which nothing runs and nothing has come, and which were not used for ``age`` seconds."""

    def end(self) -> None:
        """Give up what serves connections; those that are left may be cut off."""


def _backend(app: Callable[..., Any], listener: socket.socket, size: int, rules: Rules) -> Backend:
    return (GreenHttp if concurrency.is_green() else ThreadedHttp)(app, listener, size, rules)


class Slots:
    """Threads that several servers share: together they serve ``size`` requests at once."""

    def __init__(self, size: int) -> None:
        self._green, self._workers = threading.Semaphore(size), Workers(size)
        if not concurrency.is_green():
            self._workers.start()

    def backend(self, app: Callable[..., Any], listener: socket.socket, rules: Rules) -> Backend:
        """Return a server on a listening socket, which is not started."""
        if concurrency.is_green():
            return GreenHttp(app, listener, self._green, rules)
        return ThreadedHttp(app, listener, self._workers, rules)

    def end(self) -> None:
        """End the threads."""
        self._workers.end()


class HttpServer:
    """Serves a WSGI application. The socket is bound when the object is made: a port in use is known at once.

    Clients may connect from then on; they are answered after ``start``.
    """

    def __init__(self, app: Callable[..., Any], host: str, port: int, size: int, rules: Rules = _RULES) -> None:
        given = inherited(host, port)
        self.given = given is not None
        self._listener = given or listen(host, port)
        self.port = self._listener.getsockname()[1]
        self.shared = self.given and str(self.port) not in os.environ.get(OWN, '').split(',')
        self._backend = _backend(app, self._listener, size, rules)
        self._started = self._refuses = False
        self._told = 0.0  # when answers began to be the last ones
        self._once = threading.Lock()

    def start(self) -> None:
        """Begin to answer; a second call changes nothing."""
        with self._once:
            if not self._started and not self._refuses:
                self._started = True
                self._backend.start()

    def last_answers(self) -> None:
        """Tell clients with each answer to connect anew."""
        self._told = self._told or time.monotonic()
        self._backend.last_answers()

    def refuse(self) -> None:
        """Take no more connections. Those that wait on a socket of our own are taken first."""
        with self._once:  # a start that is under way ends first
            if self._refuses:
                return
            self._refuses = True
            if self._started:
                self._backend.refuse(empty=not self.shared)
            self._listener.close()

    def drain(self, idle: float, until: float) -> bool:
        """End in order, at ``until`` (of ``time.monotonic``) at the latest; tell whether all requests were answered.

        :param idle: seconds, from the first of the last answers on, in which connections are kept and taken: a client
            that asks that often meets no connection's end.
        """
        self.last_answers()
        if not self._started and not self.given and _waits(self._listener):
            self.start()  # whoever came already gets the answer that it does not serve
        reserve = min(2 * _FRESH, (until - time.monotonic()) / 2)
        self._wait(min(self._told + idle, until - reserve))
        self.refuse()
        if not self._started:
            return True
        self._wait(min(time.monotonic() + min(idle, _FRESH), until))
        self._backend.close_idle(_FRESH)
        while self._backend.connections() and time.monotonic() < until:
            time.sleep(_LOOK)
            self._backend.close_idle(_FRESH)
        answered = not self._backend.busy()
        self._backend.end()
        return answered

    def _wait(self, until: float) -> None:
        """Wait for the end of all connections."""
        while self._backend.connections() and time.monotonic() < until:
            time.sleep(_LOOK)

    def stop(self) -> bool:
        """End soon: requests that run have a second. Tell whether all were answered."""
        return self.drain(0, time.monotonic() + _LAST)
