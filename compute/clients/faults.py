"""From what a neighbour answers to a kind of error, with the neighbour's own words and without secrets."""

from __future__ import annotations

import re
from typing import Any

import requests

from compute import exception
from compute.objects.error_codes import shielded

_KINDS: dict[int, type[exception.ComputeError]] = {
    400: exception.Invalid, 401: exception.Unauthorized, 403: exception.Forbidden, 404: exception.NotFound,
    409: exception.Conflict, 410: exception.NotFound, 412: exception.Conflict, 413: exception.TooLarge,
    423: exception.Conflict}
_USERINFO = re.compile(r'(?<=://)[^/@\s]*@')
_TAGS = re.compile(r'<(title|head|style)[^>]*>.*?</\1>|<[^>]+>', re.S | re.I)
_MAX = 500


def from_response(service: str, url: str, response: requests.Response, own: bool) -> exception.ComputeError:
    """Return the error that an answer of 400 or more means.

    :param own: it was asked by the service user: then 401 is a fault of the installation, not of the caller, and the
        words are not for users, who may see less than the service user.
    """
    status = response.status_code
    message, kind = _words(response)
    where = f'the {service} service at {without_secrets(url)}'
    if status >= 500 or status == 429 or (status == 401 and own):
        return exception.Unavailable(f'{where[0].upper()}{where[1:]} answered {status}: {message}',
                                     code=f'{service}_unavailable')
    if kind == 'OverQuota':
        return exception.OverQuota(message, details={'type': kind}, for_users=f'The quota of the project at the '
                                   f'{service} service is exceeded.' if own else None)
    found = _KINDS.get(status, exception.Invalid)(
        message or f'{where[0].upper()}{where[1:]} answered {status}', code=_code(service, status, kind),
        details={'status': status, **({'type': kind} if kind else {})})
    return found if message and not own else shielded(found)  # without words of the service it names the URL


def without_secrets(text: str) -> str:
    """Return text whose URLs carry no user and password."""
    return _USERINFO.sub('', text)


def _code(service: str, status: int, kind: str) -> str | None:
    if kind:
        return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', kind).lower()
    return f'{service}_not_found' if status == 404 else None


def _words(response: requests.Response) -> tuple[str, str]:
    """Return message and type of an answer: each service wraps them differently, and a proxy answers HTML."""
    try:
        body: Any = response.json()
    except ValueError:
        return ' '.join(_TAGS.sub(' ', response.text[:4000]).split())[:_MAX], ''
    kind = ''
    for _ in range(3):
        if not isinstance(body, dict):
            break
        if isinstance(body.get('message'), str):
            kind = body['type'] if isinstance(body.get('type'), str) else ''
            return body['message'][:_MAX], kind
        body = next(iter(body.values()), '')
    return (body if isinstance(body, str) else str(body))[:_MAX], kind
