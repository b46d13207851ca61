"""From what a neighbour answers to a kind of error, without secrets and without the page of a proxy before it.

The words of a service are those in its JSON. Anything else is foreign: users read a sentence of ours, and a short
excerpt without markup is for administrators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import requests

from compute import exception
from compute.clients.markup import is_html, plain
from compute.objects.error_codes import meaning, shielded

_KINDS: dict[int, type[exception.ComputeError]] = {
    400: exception.Invalid, 401: exception.Unauthorized, 403: exception.Forbidden, 404: exception.NotFound,
    409: exception.Conflict, 410: exception.NotFound, 412: exception.Conflict, 413: exception.TooLarge,
    423: exception.Conflict}
_USERINFO = re.compile(r'(?<=://)[^/@\s]*@')
_TYPE = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,63}')
_MAX, _MAX_FOREIGN, _READ = 500, 120, 4000


@dataclass(frozen=True)
class _Words:
    """What an answer says: ``message`` and ``kind`` of the service, or the ``foreign`` words of something else."""

    message: str = ''
    kind: str = ''
    foreign: str = ''


def from_response(service: str, url: str, response: requests.Response, own: bool) -> exception.ComputeError:
    """Return the error that an answer of 400 or more means.

    :param own: it was asked by the service user: then 401 is a fault of the installation, not of the caller, and the
        words are not for users, who may see less than the service user.
    """
    status, words = response.status_code, _words(response)
    said = f': {words.message}' if words.message else f', not as that service does: {words.foreign!r}' \
        if words.foreign else ''
    told = f'The {service} service at {without_secrets(url)} answered {status}{said}'
    if status >= 500 or status == 429 or (status == 401 and own):
        return exception.Unavailable(told, code=f'{service}_unavailable', for_users=_what_to_do(service, status))
    if words.kind == 'OverQuota':
        return exception.OverQuota(words.message, details={'type': words.kind}, for_users=f'The quota of the project '
                                   f'at the {service} service is exceeded.' if own else None)
    found = _KINDS.get(status, exception.Invalid)(
        words.message or told, code=_code(service, status, words.kind),
        details={'status': status, **({'type': words.kind} if words.kind else {})})
    if words.message:
        return shielded(found) if own else found
    # Without words of the service the message names its URL and quotes a stranger.
    found.details[exception.FOR_USERS] = (f'{meaning(found.code)} The {service} service answered {status} without a '
                                          'reason; if the request is right, tell an administrator.')
    return found


def _what_to_do(service: str, status: int) -> str:
    """Return the sentence for users of a service that does not work."""
    if status == 401:
        return f'The {service} service refuses the service user of this cloud ({status}). Tell an administrator.'
    if status == 429:
        return f'The {service} service has too many requests ({status}). Retry later.'
    return f'The {service} service answered {status}. Retry later; if that does not help, tell an administrator.'


def without_secrets(text: str) -> str:
    """Return text whose URLs carry no user and password."""
    return _USERINFO.sub('', text)


def _code(service: str, status: int, kind: str) -> str | None:
    if kind:
        return re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', kind).lower()
    return f'{service}_not_found' if status == 404 else None


def _words(response: requests.Response) -> _Words:
    """Return what an answer says. Each service wraps its message differently; no service sends HTML on purpose."""
    try:
        content = response.content or b''
        body: Any = response.json()
    except requests.JSONDecodeError:
        return _Words(foreign=plain(content[:_READ].decode('utf-8', 'replace'), _MAX_FOREIGN))
    except requests.RequestException:
        return _Words()  # the connection ended in the middle of it
    inner = body
    for _ in range(3):
        if not isinstance(inner, dict):
            break
        if isinstance(message := inner.get('message'), str):
            kind = str(inner.get('type', ''))
            return _Words(plain(message, _MAX) if is_html(message) else message[:_MAX],
                          kind if _TYPE.fullmatch(kind) else '')
        inner = next(iter(inner.values()), '')
    return _Words(foreign=plain(str(body), _MAX_FOREIGN) if body else '')
