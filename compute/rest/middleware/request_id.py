"""Gives every request an id, and answers with it.

It does what oslo.middleware's filter of the same name does, without building a request and a response object for it:
that took as long as the rest of the way to the kernel.
"""

from __future__ import annotations

import re
from typing import Any

from compute.context import new_request_id

HEADER = 'x-openstack-request-id'
_GLOBAL = re.compile(r'req-[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$')


class RequestId:
    """Sets ``openstack.request_id``, and ``openstack.global_request_id`` where the caller sent an id of its own.

    ``more`` are further headers that carry the id in answers.
    """

    def __init__(self, app: Any, more: tuple[str, ...] = ()) -> None:
        self._app = app
        self._headers = (HEADER, *more)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request_id = new_request_id()
        environ['openstack.request_id'] = request_id
        asked = environ.get('HTTP_X_OPENSTACK_REQUEST_ID')
        if asked and _GLOBAL.match(asked):
            environ['openstack.global_request_id'] = asked

        def started(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            present = {name.lower() for name, _ in headers}
            more = [(name, request_id) for name in self._headers if name.lower() not in present]
            return start_response(status, [*headers, *more], *problem)
        return self._app(environ, started)
