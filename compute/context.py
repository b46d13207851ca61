"""Who asks: the identity and the request id that go with every request, message and log line."""

from __future__ import annotations

import uuid
from typing import Any

from oslo_context import context as oslo_context

from compute import traceparent
from compute.traceparent import Trace

_TRAVELS = ('user_id', 'user_name', 'project_id', 'project_name', 'user_domain_id', 'project_domain_id', 'domain_id',
            'roles', 'request_id', 'global_request_id', 'is_admin', 'system_scope')


class RequestContext(oslo_context.RequestContext):
    """oslo's context (so that oslo.log prints the ids), which is passed on over RPC without its token.

    ``trace`` is the place in a trace of what is done next; None for what belongs to no request.
    """

    trace: Trace | None = None

    def to_wire(self) -> dict[str, Any]:
        """Return what travels in a message: the identity and the ids, never the token.

        The trace has the names that it has in HTTP; oslo.messaging puts its own span there when it makes one.
        """
        wire = {name: getattr(self, name) for name in _TRAVELS if getattr(self, name, None) not in (None, [])}
        return {**wire, **self.trace.headers} if self.trace is not None else wire

    @classmethod
    def from_wire(cls, values: dict[str, Any]) -> RequestContext:
        """Rebuild a context from a message and make it this thread's current one."""
        made = cls(**{name: values[name] for name in _TRAVELS if name in values}, overwrite=True)
        made.trace = traceparent.read(values.get('traceparent'), values.get('tracestate'))
        return made

    def get_logging_values(self) -> dict[str, Any]:
        """Add the trace's id, and as ``trace`` what a line shows of it: nothing where a request id says the same."""
        trace_id = self.trace.trace_id if self.trace is not None else None
        known = (None, *map(traceparent.trace_id_of, (self.request_id, self.global_request_id)))
        return {**super().get_logging_values(), 'trace_id': trace_id,
                'trace': '' if trace_id in known else f' {trace_id}'}

    @property
    def may_see_all(self) -> bool:
        """Whether this is the controller itself or an administrator."""
        return bool(self.is_admin)


def current() -> RequestContext | None:
    """Return the context of what this thread does, if it is known."""
    found = oslo_context.get_current()
    return found if isinstance(found, RequestContext) else None


def internal(request_id: str | None = None) -> RequestContext:
    """Return a context for work that the controller does on its own account."""
    return RequestContext(is_admin=True, request_id=request_id, roles=['admin'], overwrite=True)


def new_request_id() -> str:
    """Return a fresh ``req-<uuid>``."""
    return f'req-{uuid.uuid4()}'
