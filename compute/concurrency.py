"""Green or native threads: the only module that knows of eventlet.

Everything else is written with the standard library's ``threading`` and ``concurrent.futures``, which ``patch()``
makes green in eventlet mode. The mode is taken from the environment (``COMPUTE_CONCURRENCY`` = ``eventlet``,
``threading`` or ``auto``) because it has to be known before anything else is imported: each entry point in ``cmd/``
calls ``patch()`` first.

Three rules follow. A C call that may block (libvirt, bcrypt, sqlite over large tables) goes through ``offload()``.
Pools are bounded. No thread is ever killed.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar('T')
LOG = logging.getLogger(__name__)
EVENTLET, THREADING = 'eventlet', 'threading'
_backend: str | None = None


def patch(backend: str | None = None) -> str:
    """Choose the mode for this process and return it. Call before any other import; a second call changes nothing.

    In threading mode a later import of eventlet fails: nothing may bring it in behind our back.
    """
    global _backend
    if _backend is not None:
        return _backend
    wanted = backend or os.environ.get('COMPUTE_CONCURRENCY', 'auto')
    if wanted not in (EVENTLET, THREADING, 'auto'):
        raise ValueError(f'COMPUTE_CONCURRENCY is {wanted!r}; it takes eventlet, threading or auto')
    _backend = EVENTLET if wanted == 'auto' else wanted
    if _backend == EVENTLET:
        _patch_eventlet()
    else:
        _choose_threads()
    return _backend


def _choose_threads() -> None:
    sys.modules.setdefault('eventlet', None)  # type: ignore[arg-type]
    from oslo_service import backend as oslo_backend  # oslo.messaging imports it and would take eventlet
    oslo_backend.init_backend(oslo_backend.BackendType.THREADING)


def _patch_eventlet() -> None:
    import warnings
    warnings.filterwarnings('ignore', module='futurist')
    warnings.filterwarnings('ignore', module='oslo_utils.eventletutils')
    warnings.filterwarnings('ignore', message='.*[Ee]ventlet.*')
    os.environ.setdefault('EVENTLET_NO_GREENDNS', 'yes')
    os.environ.setdefault('EVENTLET_THREADPOOL_SIZE', '20')
    import eventlet
    eventlet.monkey_patch()


def backend() -> str:
    """Return the mode; native threads where no entry point chose (a test, a script)."""
    return _backend or THREADING


def is_green() -> bool:
    """Tell whether threads of this process are green."""
    return _backend == EVENTLET


def spawn(function: Callable[..., Any], *args: Any, name: str | None = None, **kwargs: Any) -> threading.Thread:
    """Run ``function`` in a daemon thread that logs what it raises."""
    def run() -> None:
        try:
            function(*args, **kwargs)
        except Exception:
            LOG.exception('thread %s failed', name or function)
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def offload(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run a blocking C call so that other green threads go on meanwhile; in threading mode a plain call."""
    if not is_green():
        return function(*args, **kwargs)
    from eventlet import tpool
    return tpool.execute(function, *args, **kwargs)


def native_thread(function: Callable[..., Any], *args: Any, name: str) -> Any:
    """Run ``function`` in a real thread whatever the mode. It may not touch locks or queues of the patched world."""
    if not is_green():
        thread = threading.Thread(target=function, args=args, name=name, daemon=True)
        thread.start()
        return thread
    from eventlet import patcher
    original = patcher.original('threading')
    thread = original.Thread(target=function, args=args, name=name, daemon=True)
    thread.start()
    return thread


class Mailbox:
    """Carries items from a native thread to one thread of ours: ``put`` in the native one, ``get`` blocks in ours."""

    def __init__(self) -> None:
        import collections
        self._items: Any = collections.deque()
        self._reader, self._writer = socket.socketpair()

    def put(self, item: Any) -> None:
        """Add an item; callable from a native thread, never blocks for long."""
        self._items.append(item)
        try:
            os.write(self._writer.fileno(), b'x')
        except OSError:
            LOG.debug('mailbox closed')

    def get(self) -> Any:
        """Wait for the next item and return it; None once the mailbox is closed."""
        if not self._reader.recv(1):
            return None
        return self._items.popleft()

    def close(self) -> None:
        """Let ``get`` return None."""
        self._writer.close()


class Pool:
    """A bounded pool of threads with a bounded queue. ``submit`` raises ``Full`` when both are full."""

    class Full(Exception):
        """The pool's queue has no room."""

    def __init__(self, name: str, size: int, queue: int = 1000) -> None:
        self.name, self.size, self._limit = name, size, size + queue
        self._pending = 0
        self._lock = threading.Lock()
        # Not before patch(): its module makes a lock that would stay native, and one native lock stops every green
        # thread.
        from concurrent.futures import ThreadPoolExecutor
        self._executor = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)

    def submit(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
        """Queue a call; what it raises is kept in the future and logged."""
        with self._lock:
            if self._pending >= self._limit:
                raise Pool.Full(f'pool {self.name}: {self._pending} calls wait, limit {self._limit}')
            self._pending += 1
        future = self._executor.submit(function, *args, **kwargs)
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Future[Any]) -> None:
        with self._lock:
            self._pending -= 1
        if not future.cancelled() and (error := future.exception()) is not None:
            LOG.error('pool %s: a call failed', self.name, exc_info=error)

    @property
    def pending(self) -> int:
        """How many calls run or wait."""
        return self._pending

    def shutdown(self, wait: bool = False) -> None:
        """Take no more calls; with ``wait`` return when the running ones are done."""
        self._executor.shutdown(wait=wait, cancel_futures=True)


class Periodic:
    """Calls a function every ``spacing`` seconds in a thread of its own, with jitter, never twice at once."""

    def __init__(self, function: Callable[[], Any], spacing: float, *, name: str | None = None,
                 immediately: bool = True, jitter: float = 0.1) -> None:
        self.name = name or getattr(function, '__name__', 'periodic')
        self._function, self._spacing, self._jitter = function, spacing, jitter
        self._immediately = immediately
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> Periodic:
        """Begin."""
        self._thread = spawn(self._run, name=f'periodic-{self.name}')
        return self

    def wake(self) -> None:
        """Run soon instead of waiting for the next turn."""
        self._wake.set()

    def stop(self) -> None:
        """Stop after the current run."""
        self._stop.set()
        self._wake.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread ended."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        if not self._immediately:
            self._pause()
        while not self._stop.is_set():
            try:
                self._function()
            except Exception as error:
                LOG.warning('periodic task %s failed: %s', self.name, error, exc_info=not _expected(error))
            self._pause()

    def _pause(self) -> None:
        self._wake.wait(self._spacing * random.uniform(1 - self._jitter, 1 + self._jitter))
        self._wake.clear()


def _expected(error: Exception) -> bool:
    from compute import exception
    return isinstance(error, exception.ComputeError)


def hub_lag(stop: threading.Event, warn_after: float = 1.0) -> None:
    """Watch for calls that block every green thread: log whenever a timer fires ``warn_after`` seconds late."""
    while not stop.is_set():
        begin = time.monotonic()
        stop.wait(0.1)
        lag = time.monotonic() - begin - 0.1
        if lag > warn_after:
            LOG.warning('the thread hub was blocked for %.1f s: a C call is not offloaded', lag)


class HttpServer:
    """Serves a WSGI application: eventlet's server in eventlet mode, cheroot's bounded thread pool otherwise.

    The socket is bound when the object is made, so a port in use is known before anything else starts.
    """

    def __init__(self, app: Callable[..., Any], host: str, port: int, size: int) -> None:
        self._app, self._size, self._host = app, size, host
        family = socket.AF_INET6 if ':' in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f'cannot listen on {host}:{port}: {error.strerror}') from error
        self._socket.listen(512)
        self.port = self._socket.getsockname()[1]
        self._server: Any = None
        self._pool: Any = None

    def start(self) -> None:
        """Begin to answer."""
        if is_green():
            self._start_green()
        else:
            self._start_threads()

    def _start_green(self) -> None:
        import eventlet
        import eventlet.wsgi
        self._pool = eventlet.GreenPool(self._size)
        self._server = eventlet.spawn(
            eventlet.wsgi.server, self._socket, self._app, custom_pool=self._pool, log=_NullLog(), log_output=False,
            keepalive=True, socket_timeout=120, url_length_limit=16384, debug=False)

    def _start_threads(self) -> None:
        from cheroot import wsgi
        self._socket.close()  # cheroot binds for itself
        self._server = wsgi.Server((self._host, self.port), self._app, numthreads=min(self._size, 30),
                                   max=self._size, timeout=120, request_queue_size=512)
        self._server.prepare()
        spawn(self._server.serve, name='http')

    def stop(self) -> None:
        """Take no more connections; requests that run go on."""
        if self._server is None:
            self._socket.close()
        elif is_green():
            self._socket.close()
        else:
            self._server.stop()


class _NullLog:
    def write(self, text: str) -> None:
        """Drop what eventlet's server says of each connection: the request log says it better."""

    def flush(self) -> None:
        """Nothing is kept."""
