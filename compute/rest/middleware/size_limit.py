"""Sets the maximum size of request bodies. The kernel enforces it and answers with an error of the API."""

from __future__ import annotations

from typing import Any

MAX_BODY = 'compute.max_body'


def body_limit(conf: Any) -> int:
    """Return ``[oslo_middleware] max_request_body_size``, an option of oslo.middleware."""
    from oslo_middleware import opts
    for group, options in opts.list_opts_sizelimit():
        conf.register_opts(options, group=group)
    return int(conf.oslo_middleware.max_request_body_size)


class SizeLimit:
    """Puts the limit into ``environ['compute.max_body']``."""

    def __init__(self, app: Any, largest: int) -> None:
        self._app, self._largest = app, largest

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ[MAX_BODY] = self._largest
        return self._app(environ, start_response)
