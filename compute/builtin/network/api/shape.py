"""How errors look in the Network API: ``type`` is Neutron's name for it, which clients compare."""

from __future__ import annotations

from typing import Any

from compute.exception import ComputeError
from compute.rest.errors import network_shape

_TYPES = {400: 'HTTPBadRequest', 401: 'HTTPUnauthorized', 403: 'PolicyNotAuthorized', 404: 'HTTPNotFound',
          405: 'HTTPMethodNotAllowed', 409: 'HTTPConflict', 413: 'HTTPRequestEntityTooLarge',
          415: 'HTTPUnsupportedMediaType', 500: 'HTTPInternalServerError', 503: 'HTTPServiceUnavailable'}


def shape(status: int, message: str, error: ComputeError | None = None) -> dict[str, Any]:
    """Return the body of an error; one without a type of its own gets that of its status."""
    body = network_shape(status, message, error)
    if error is None or 'type' not in error.details:
        body['NeutronError']['type'] = _TYPES.get(status, 'NeutronException')
    return body
