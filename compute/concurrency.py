"""Green or native threads: the only module that knows of eventlet.

Everything else is written with the standard library's ``threading`` and ``concurrent.futures``, which ``patch()``
makes green in eventlet mode. The mode is taken from the environment (``COMPUTE_CONCURRENCY`` = ``eventlet``,
``threading`` or ``auto``) because it has to be known before anything else is imported: each entry point in ``cmd/``
calls ``patch()`` first.

Three rules follow. A C call that may block (libvirt, bcrypt, sqlite over large tables) goes through ``offload()``.
Pools are bounded. No thread is ever killed.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import sys
import threading
import time
import weakref
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
    _backend = automatic() if wanted == 'auto' else wanted
    if _backend == EVENTLET:
        _patch_eventlet()
    else:
        _choose_threads()
    return _backend


def automatic() -> str:
    """Return the mode where none is asked for: native threads from Python 3.13 on, which eventlet follows no longer."""
    return THREADING if sys.version_info >= (3, 13) else EVENTLET


def _choose_threads() -> None:
    sys.modules.setdefault('eventlet', None)  # type: ignore[arg-type]
    from oslo_service import backend as oslo_backend  # oslo.messaging imports it and would take eventlet
    oslo_backend.init_backend(oslo_backend.BackendType.THREADING)


def _patch_eventlet() -> None:
    import warnings
    warnings.filterwarnings('ignore', module='futurist')
    warnings.filterwarnings('ignore', module='oslo_utils.eventletutils')
    warnings.filterwarnings('ignore', message='(?s).*[Ee]ventlet')  # its own text begins with an empty line
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


class Thread(threading.Thread):
    """A daemon thread that can be waited for, for a time, in both modes.

    With eventlet on Python 3.13 the ``join(timeout)`` of the standard library raises ``eventlet.timeout.Timeout`` when
    the time is over, and that is no Exception.
    """

    def __init__(self, function: Callable[[], Any], name: str | None = None) -> None:
        super().__init__(name=name, daemon=True)
        self._function, self._ended = function, threading.Event()

    def run(self) -> None:
        """Call the function and log every exception, also a BaseException."""
        try:
            self._function()
        except BaseException:  # a thread must not end unnoticed
            LOG.exception('thread %s failed', self.name)
        finally:
            self._ended.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the function has ended, ``timeout`` seconds at most."""
        self._ended.wait(timeout)

    def is_alive(self) -> bool:
        """Return whether it was started and its function has not ended."""
        return self.ident is not None and not self._ended.is_set()


def spawn(function: Callable[..., Any], *args: Any, name: str | None = None, **kwargs: Any) -> Thread:
    """Run ``function`` in a daemon thread that logs what it raises."""
    thread = Thread(lambda: function(*args, **kwargs), name or getattr(function, '__name__', None))
    thread.start()
    return thread


def spawn_light(function: Callable[..., Any], *args: Any) -> None:
    """Run ``function`` in a thread of which nothing is known afterwards: a green one is made at a tenth of the cost. It
    must catch what it raises.
    """
    if is_green():
        import eventlet
        eventlet.spawn_n(function, *args)
    else:
        threading.Thread(target=function, args=args, daemon=True).start()


def all_at_once(functions: list[Callable[[], Any]], *, name: str) -> None:
    """Call functions in a thread each and return when all are done; what they raise is logged."""
    for thread in [spawn(function, name=name) for function in functions]:
        thread.join()


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


def native_lock() -> Any:
    """Return a lock that is native whatever the mode: for a few instructions that never wait and never switch."""
    if not is_green():
        return threading.Lock()
    from eventlet import patcher
    return patcher.original('threading').Lock()


class Mailbox:
    """Carries items from a native thread to one thread of ours: ``put`` in the native one, ``get`` blocks in ours."""

    def __init__(self) -> None:
        import collections
        self._items: Any = collections.deque()
        self._reader, self._writer = socket.socketpair()

    def put(self, item: Any) -> None:
        """Add an item; callable from a native thread and from the handler of a signal, takes no lock, never waits."""
        self._items.append(item)
        with contextlib.suppress(OSError):  # it is full, and will be read, or closed; os.write may wait when green
            getattr(self._writer, 'fd', self._writer).send(b'x', socket.MSG_DONTWAIT)

    def get(self) -> Any:
        """Wait for the next item and return it; None once the mailbox is closed."""
        while not self._items:
            if not self._reader.recv(4096):
                return None
        return self._items.popleft()

    def close(self) -> None:
        """Let ``get`` return None."""
        self._writer.close()


_pools: weakref.WeakSet[Pool] = weakref.WeakSet()


def pools() -> list[Pool]:
    """Return the pools of this process."""
    return list(_pools)


class Pool:
    """A bounded pool of threads with a bounded queue. ``submit`` raises ``Full`` when both are full."""

    class Full(Exception):
        """The pool's queue has no room."""

    def __init__(self, name: str, size: int, queue: int = 1000) -> None:
        self.name, self.size, self.limit = name, size, size + queue
        self.rejected = 0
        self._pending = 0
        self._lock = threading.Lock()
        # Not before patch(): its module makes a lock that would stay native, and one native lock stops every green
        # thread.
        from concurrent.futures import ThreadPoolExecutor
        self._executor = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        _pools.add(self)

    def submit(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
        """Queue a call; what it raises is kept in the future and logged."""
        with self._lock:
            if self._pending >= self.limit:
                self.rejected += 1
                raise Pool.Full(f'pool {self.name}: {self._pending} calls wait, limit {self.limit}')
            self._pending += 1
        try:
            future = self._executor.submit(function, *args, **kwargs)
        except RuntimeError as error:
            with self._lock:
                self._pending -= 1
            raise Pool.Full(f'pool {self.name} takes nothing more: it is shut down') from error
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
        """Take no more calls and forget those that wait; with ``wait`` return when the running ones are done."""
        _pools.discard(self)
        self._executor.shutdown(wait=wait, cancel_futures=True)

    def finish(self, until: float) -> bool:
        """Take no more, forget those that wait, and tell whether the running ones ended by ``until`` (monotonic)."""
        self.shutdown()
        while self._pending and time.monotonic() < until:
            time.sleep(0.02)
        return not self._pending


class Periodic:
    """Calls a function every ``spacing`` seconds in a thread of its own, with jitter, never twice at once."""

    def __init__(self, function: Callable[[], Any], spacing: float, *, name: str | None = None,
                 immediately: bool = True, jitter: float = 0.1) -> None:
        self.name = name or getattr(function, '__name__', 'periodic')
        self._function, self._spacing, self._jitter = function, spacing, jitter
        self._immediately = immediately
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: Thread | None = None

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
            except BaseException as error:  # the thread must survive any error
                LOG.warning('periodic task %s failed: %s', self.name, error, exc_info=not _expected(error))
            self._pause()

    def _pause(self) -> None:
        self._wake.wait(self._spacing * random.uniform(1 - self._jitter, 1 + self._jitter))
        self._wake.clear()


def _expected(error: BaseException) -> bool:
    from compute import exception
    return isinstance(error, exception.ComputeError)
