"""Who asks: the identity and the request id that go with every request, message and log line."""

from __future__ import annotations

import uuid
from typing import Any

from oslo_context import context as oslo_context

_TRAVELS = ('user_id', 'user_name', 'project_id', 'project_name', 'user_domain_id', 'project_domain_id', 'domain_id',
            'roles', 'request_id', 'global_request_id', 'is_admin', 'system_scope')


class RequestContext(oslo_context.RequestContext):
    """oslo's context (so that oslo.log prints the ids), which is passed on over RPC without its token."""

    def to_wire(self) -> dict[str, Any]:
        """Return what travels in a message: the identity and the ids, never the token."""
        return {name: getattr(self, name) for name in _TRAVELS if getattr(self, name, None) not in (None, [])}

    @classmethod
    def from_wire(cls, values: dict[str, Any]) -> RequestContext:
        """Rebuild a context from a message and make it this thread's current one."""
        return cls(**{name: values[name] for name in _TRAVELS if name in values}, overwrite=True)

    @property
    def may_see_all(self) -> bool:
        """Whether this is the controller itself or an administrator."""
        return bool(self.is_admin)


def internal(request_id: str | None = None) -> RequestContext:
    """Return a context for work that the controller does on its own account."""
    return RequestContext(is_admin=True, request_id=request_id, roles=['admin'], overwrite=True)


def new_request_id() -> str:
    """Return a fresh ``req-<uuid>``."""
    return f'req-{uuid.uuid4()}'
