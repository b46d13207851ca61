"""Spans for OpenTelemetry: what was done for a request, where, and how long it took.

Off unless ``[tracing] enabled``; then every function here returns at once and the library is not loaded. A place in a
trace travels explicitly, as ``RequestContext.trace``, so green and native threads, pools and messages are the same to
it. OpenTelemetry's own idea of the current span is used in one place, where oslo.messaging makes the spans of RPC
(``carried``, ``arrived``). Ended spans wait in a bounded queue for a thread of their own: no request waits for the
collector.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from compute import concurrency, exception
from compute.traceparent import Trace, begin

T = TypeVar('T')
LOG = logging.getLogger(__name__)
SERVER, CLIENT, INTERNAL = 'SERVER', 'CLIENT', 'INTERNAL'
_on: Any = None  # a ``tracing_library.Library`` while spans are recorded


def is_on() -> bool:
    """Tell whether spans are recorded."""
    return _on is not None


class Span:
    """Something that is being done. ``trace`` is the place of what is done for it.

    :param trace: the span's own place, or while nothing is recorded that of its parent.
    """

    __slots__ = ('_live', 'trace')

    def __init__(self, trace: Trace | None, live: Any = None) -> None:
        self.trace, self._live = trace, live

    def note(self, name: str, value: str | int) -> None:
        """Add an attribute."""
        if self._live is not None:
            self._live.set_attribute(name, value)

    def fail(self, error: BaseException | str) -> None:
        """Mark it as failed."""
        if self._live is not None:
            _mark(self._live, error)

    def end(self, name: str | None = None) -> None:
        """End it, under a better name if there is one by now."""
        if self._live is not None:
            if name is not None:
                self._live.update_name(name)
            self._live.end()

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        if error is not None:
            self.fail(error)
        self.end()


def span(name: str, kind: str, parent: Trace | None, attributes: dict[str, Any],
         request_id: str | None = None) -> Span:
    """Begin a span; the caller ends it. ``request_id``: of the request that a trace begins with, without a parent."""
    if _on is None:
        return Span(parent)
    live = _on.start(name, kind, parent, attributes, request_id)
    return Span(_on.place(live), live)


class Stages:
    """The stages of an operation as spans, one after the other; each is the context's place while it lasts."""

    __slots__ = ('_context', '_host', '_operation', '_outer', '_span')

    def __init__(self, context: Any, operation: Any, host: str) -> None:
        self._context, self._outer = context, context.trace
        self._operation, self._host = operation, host
        self._span: Span | None = None

    def enter(self, name: str) -> Stages:
        """Begin a stage; the one before it is done."""
        self.leave()
        if _on is not None:
            self._outer = self._context.trace
            self._span = span(name, INTERNAL, self._outer, {
                'compute.stage': name, 'compute.operation.id': self._operation.operation_id,
                'compute.operation.kind': self._operation.kind, 'compute.server': self._operation.instance_uuid,
                'compute.host': self._host, 'openstack.request_id': self._context.request_id or ''})
            self._context.trace = self._span.trace
        return self

    def leave(self, error: BaseException | str | None = None) -> None:
        """End the stage that goes on, if there is one."""
        if self._span is not None:
            if error is not None:
                self._span.fail(error)
            self._span.end()
            self._span, self._context.trace = None, self._outer

    def __enter__(self) -> Stages:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self.leave(error)


# -- where oslo.messaging makes the spans --

def carried(context: Any, send: Callable[[], T]) -> Callable[[], T]:
    """Return ``send`` so that the span which oslo.messaging makes in it is a child of the context's."""
    if _on is None:
        return send
    library = _on

    def inside() -> T:
        # What belongs to no trace (a heartbeat) begins one here that is not sampled.
        token = library.attach(library.under(context.trace or begin(context.request_id)))
        try:
            return send()
        finally:
            library.detach(token)
    return inside


def arrived() -> Trace | None:
    """Return the place of the span that oslo.messaging made for the message which this thread handles."""
    if _on is None:
        return None
    live = _on.current()
    return _on.place(live) if live.get_span_context().is_valid else None


def note_failure(error: BaseException) -> None:
    """Mark that span as failed: oslo.messaging catches errors before they reach it."""
    if _on is not None:
        _mark(_on.current(), error)


# -- on and off --

def _mark(live: Any, error: BaseException | str) -> None:
    if live.is_recording():
        from compute.tracing_library import mark
        mark(live, error)


def start(conf: Any, daemons: Iterable[str]) -> None:
    """Record spans from now on if ``[tracing] enabled``. Once in a process.

    :raises ComputeError: ``tracing_library_missing``: OpenTelemetry is not installed.
    """
    global _on
    if not conf.tracing.enabled or _on is not None:
        return
    try:
        from compute.tracing_library import load
    except ImportError as error:
        raise exception.ComputeError(f'[tracing] enabled needs OpenTelemetry, and {error.name} is not installed',
                                     code='tracing_library_missing', hint='pip install "compute[otel]"') from error
    names = list(daemons)
    _on = load(conf, names[0] if len(names) == 1 else 'standalone')
    LOG.info('spans are sent to %s', conf.tracing.endpoint)


def stop(seconds: float) -> None:
    """Send what waits, for so many seconds at most, and record no more."""
    global _on
    library, _on = _on, None
    if library is not None:
        concurrency.spawn(library.close, name='spans').join(seconds)
