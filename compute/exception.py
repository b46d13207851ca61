"""The kinds of error, and what each promises.

A kind maps to one HTTP status (``rest/errors.py`` reads it) and has a stable ``code`` that users and tools can
match on. A subclass exists only where somebody catches it by name; everything else is a kind with a code.

Two kinds are for work that has begun: :class:`Retry` promises that nothing is left behind and another host may do
it; :class:`Failed` says that something may be left behind and names it.
"""

from __future__ import annotations

from typing import Any

FOR_USERS = 'for_users'


class ComputeError(Exception):
    """Base of every error raised on purpose. ``str()`` may carry a remote trace.

    ``message`` of a refusal (4xx) is for the caller. ``message`` of anything else is for operators: it may name hosts,
    paths and URLs, and quote libraries. Users are shown ``for_users``, or the meaning of the code where that is None
    (``objects/error_codes.py``, ``rest/errors.py``).

    :param code: stable machine-readable reason, for example ``image_too_large``.
    :param hint: what the operator can do about it.
    :param status: the HTTP status where it differs from the kind's.
    :param for_users: one sentence that any user may read. It names no host, path or URL, and quotes no other program.
    """

    status = 500
    code = 'internal'
    retryable = False

    def __init__(self, message: str = '', *, code: str | None = None, hint: str | None = None,
                 status: int | None = None, details: dict[str, Any] | None = None,
                 for_users: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint
        self.status = status or type(self).status
        self.details = {**(details or {}), **({FOR_USERS: for_users} if for_users else {})}
        # oslo.messaging rebuilds a remote error from args and kwargs.
        self.kwargs = {'code': self.code, 'hint': hint, 'status': self.status, 'details': self.details}

    @property
    def for_users(self) -> str | None:
        """The sentence that any user may read. It travels in ``details``, which peers of every release pass on."""
        return self.details.get(FOR_USERS)


class Invalid(ComputeError):
    """The request cannot be understood or breaks a rule; nothing was done."""

    status, code = 400, 'invalid'


class Unauthorized(ComputeError):
    """No valid token."""

    status, code = 401, 'unauthorized'


class Forbidden(ComputeError):
    """The caller is known and may not."""

    status, code = 403, 'forbidden'


class OverQuota(Forbidden):
    """A limit of the project would be passed; the message names resource, request, use and limit."""

    code = 'over_quota'


class NotFound(ComputeError):
    """No such thing, or not for this caller."""

    status, code = 404, 'not_found'


class Conflict(ComputeError):
    """The thing is in a state that does not allow this now."""

    status, code = 409, 'conflict'


class Gone(ComputeError):
    """The operation existed once and was removed."""

    status, code = 410, 'gone'


class NotBuilt(ComputeError):
    """The API defines the operation, but this release does not support it."""

    status, code = 501, 'not_built'


class TooLarge(ComputeError):
    """A body or an upload is over its limit."""

    status, code = 413, 'too_large'


class Unsupported(ComputeError):
    """This driver or this host cannot do it."""

    status, code = 501, 'unsupported'


class Unavailable(ComputeError):
    """A part that is needed does not answer now; the same request may succeed later."""

    status, code, retryable = 503, 'unavailable', True


class RpcTimeout(Unavailable):
    """A peer did not answer in time; topic, method and callee are in the message."""

    code = 'rpc_timeout'


class Stale(Conflict):
    """A report carries an incarnation or a lease that is no longer the current one."""

    code = 'stale'


class Superseded(Stale):
    """Another process acts as this host now; this one may not touch anything any more."""

    code = 'superseded'


class Retry(ComputeError):
    """Work failed here, nothing is left behind, another host may do it."""

    status, code, retryable = 500, 'retry', True


class Failed(ComputeError):
    """Work failed and trying elsewhere does not help, or something may be left behind."""

    status, code = 500, 'failed'


class NoValidHost(Failed):
    """No host fits. ``details`` has ``counts`` by filter and ``rejections``, a list of host, filter and reason."""

    code = 'no_valid_host'
