"""Checks a built-in token and says who it is in the headers that keystonemiddleware uses.

So what comes after it is the same with a real Keystone. Identity headers that a client sends are removed first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from compute.exception import ComputeError, Unauthorized

Headers = dict[str, str]
CheckToken = Callable[[str], Headers]
"""Takes a token, returns identity headers (``X-User-Id`` ...). :raises Unauthorized: expired, revoked, forged."""

IDENTITY_HEADERS = (
    'X-Identity-Status', 'X-User-Id', 'X-User-Name', 'X-User-Domain-Id', 'X-User-Domain-Name', 'X-Project-Id',
    'X-Project-Name', 'X-Project-Domain-Id', 'X-Project-Domain-Name', 'X-Domain-Id', 'X-Domain-Name', 'X-Roles',
    'X-Is-Admin-Project', 'X-Service-Catalog', 'OpenStack-System-Scope')


@functools.cache
def environ_name(header: str) -> str:
    """Return the WSGI name of a header."""
    return 'HTTP_' + header.upper().replace('-', '_')


_IDENTITY_NAMES = tuple(environ_name(header) for header in IDENTITY_HEADERS)


class Authenticate:
    """Sets ``X-Identity-Status`` to Confirmed or Invalid; who must have a token is decided behind it."""

    def __init__(self, app: Any, check: CheckToken) -> None:
        self._app, self._check = app, check

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        for name in _IDENTITY_NAMES:
            environ.pop(name, None)
        token = environ.get('HTTP_X_AUTH_TOKEN') or environ.get('HTTP_X_STORAGE_TOKEN')
        if token:
            environ['HTTP_X_AUTH_TOKEN'] = token  # what comes behind this uses the token that was checked
            self._identify(environ, token)
        return self._app(environ, start_response)

    def _identify(self, environ: dict[str, Any], token: str) -> None:
        try:
            for header, value in self._check(token).items():
                environ[environ_name(header)] = value
            environ['HTTP_X_IDENTITY_STATUS'] = 'Confirmed'
        except Unauthorized as error:
            environ['HTTP_X_IDENTITY_STATUS'] = 'Invalid'
            environ['compute.auth_error'] = error
        except ComputeError as error:
            environ['HTTP_X_IDENTITY_STATUS'] = 'Unknown'
            environ['compute.auth_error'] = error
