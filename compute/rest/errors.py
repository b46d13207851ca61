"""From an error to a status and the body that an API's clients expect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from compute import exception
from compute.exception import ComputeError
from compute.objects.error_codes import meaning, what_to_do

Shape = Callable[[int, str, ComputeError | None], dict[str, Any]]
"""Makes the body of an error from status, message and the error itself."""

# Their messages are for operators: they name hosts, paths and URLs, and quote libraries. Refusals are for callers.
_OF_OPERATORS = (exception.Unavailable, exception.Failed, exception.Retry)
_COMPUTE = {400: 'badRequest', 401: 'unauthorized', 403: 'forbidden', 404: 'itemNotFound', 405: 'badMethod',
            409: 'conflictingRequest', 413: 'overLimit', 415: 'badMediaType', 429: 'overLimit', 501: 'notImplemented',
            503: 'serviceUnavailable'}
TITLES = {400: 'Bad Request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
          406: 'Not Acceptable', 409: 'Conflict', 410: 'Gone', 413: 'Request Entity Too Large',
          415: 'Unsupported Media Type', 500: 'Internal Server Error', 501: 'Not Implemented',
          503: 'Service Unavailable'}


def for_caller(error: ComputeError, is_admin: bool) -> ComputeError:
    """Return an error as its caller may read it: administrators all of it, others no words of hosts and services."""
    shown = error.for_users
    if is_admin or (shown is None and not isinstance(error, _OF_OPERATORS) and error.status != 500):
        return error
    found = ComputeError(shown or meaning(error.code), code=error.code, hint=what_to_do(error.code),
                         status=error.status, details=error.details)
    found.retryable = error.retryable
    return found


def _reason(error: ComputeError | None) -> dict[str, Any]:
    """Return what a program can go by, besides the status: clients read the keys they know and leave the rest.

    A refused login says no more than that it was refused.
    """
    if error is None or error.status == 401:
        return {}
    found = {'reason': error.code, 'retryable': error.retryable or 'retry_after' in error.details}
    return {**found, 'hint': error.hint} if error.hint else found


def compute_shape(status: int, message: str, error: ComputeError | None = None) -> dict[str, Any]:
    """Shape of the Compute API: the kind is the key."""
    return {_COMPUTE.get(status, 'computeFault'): {'code': status, 'message': message, **_reason(error)}}


def identity_shape(status: int, message: str, error: ComputeError | None = None) -> dict[str, Any]:
    """Shape of the Identity API."""
    return {'error': {'code': status, 'message': message, 'title': TITLES.get(status, 'Error'), **_reason(error)}}


def network_shape(status: int, message: str, error: ComputeError | None = None) -> dict[str, Any]:
    """Shape of the Network API: ``type`` is the error's code, unless it names a type of Neutron's."""
    kind = (error.details.get('type') or error.code) if error else TITLES.get(status, 'Error')
    return {'NeutronError': {'type': kind, 'message': message, 'detail': '', **_reason(error)}}


def image_shape(status: int, message: str, error: ComputeError | None = None) -> dict[str, Any]:
    """Shape of the Image API; its clients show the message of any JSON or HTML body."""
    return {'code': status, 'title': TITLES.get(status, 'Error'), 'message': message, **_reason(error)}
