"""Checks signatures of EC2 requests: versions 4 (header or query) and 2. Pure functions.

What was signed comes from an EC2 service as it received it. See the signing process of AWS, "Signature Version 4" and
"Signature Version 2". Versions 0 and 1 are refused: their strings to sign are ambiguous.
"""

from __future__ import annotations

import base64
import calendar
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

_V4 = 'AWS4-HMAC-SHA256'
_AUTHORIZATION = re.compile(r'(\w+)=([^,\s]+)')
_DIGESTS = {'HmacSHA256': hashlib.sha256, 'HmacSHA1': hashlib.sha1}
TTL = 900
"""Seconds before and after now in which a signed request is taken."""


@dataclass(frozen=True)
class SignedRequest:
    """A request as an EC2 service received it. Names of headers are in small letters."""

    access: str
    signature: str = field(repr=False)
    host: str = ''
    verb: str = 'GET'
    path: str = '/'
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body_hash: str = ''

    @classmethod
    def of(cls, data: dict[str, Any]) -> SignedRequest:
        """Read the ``credentials`` of a request for a token."""
        headers = {str(name).lower(): str(value) for name, value in (data.get('headers') or {}).items()}
        params = {str(name): str(value) for name, value in (data.get('params') or {}).items()}
        return cls(data['access'], data['signature'], data.get('host') or '', (data.get('verb') or 'GET').upper(),
                   data.get('path') or '/', params, headers, data.get('body_hash') or '')


@dataclass(frozen=True)
class _V4Parts:
    scope: list[str]
    signed: list[str]
    date: str
    lives: int = TTL
    in_query: bool = False


def fits(secret: str, request: SignedRequest, now: float | None = None) -> bool:
    """Return whether a request was signed with this secret, for its access key, not long ago."""
    now = time.time() if now is None else now
    if request.params.get('SignatureVersion') == '2':
        return _is_fresh_v2(request, now) and any(_same(request.signature, wanted) for wanted in _v2(secret, request))
    parts = _v4_parts(request)
    if parts is None or not _is_sound(parts, request) or not _is_fresh(parts, now):
        return False
    return any(_same(request.signature, wanted) for wanted in _v4(secret, request, parts))


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _hosts(host: str) -> Iterator[str]:
    """Yield the host as sent and without its port: clients sign either."""
    yield host
    bare = re.sub(r':\d+$', '', host)
    if bare != host:
        yield bare


def _v4_parts(request: SignedRequest) -> _V4Parts | None:
    header, params = request.headers.get('authorization', ''), request.params
    if header.startswith(_V4):
        found = dict(_AUTHORIZATION.findall(header))
        return _V4Parts(found.get('Credential', '').split('/'), found.get('SignedHeaders', '').split(';'),
                        request.headers.get('x-amz-date', ''))
    if params.get('X-Amz-Algorithm') == _V4:
        lives = params.get('X-Amz-Expires', str(TTL))
        return _V4Parts(params.get('X-Amz-Credential', '').split('/'), params.get('X-Amz-SignedHeaders', '').split(';'),
                        params.get('X-Amz-Date', ''),
                        int(lives) if lives.isascii() and lives.isdigit() else -TTL - 1, in_query=True)
    return None


def _is_sound(parts: _V4Parts, request: SignedRequest) -> bool:
    """Return whether the scope is one of this access key and day, and the headers that matter are signed."""
    return (len(parts.scope) == 5 and parts.scope[0] == request.access and parts.scope[4] == 'aws4_request'
            and parts.scope[1] == parts.date[:8] and 'host' in parts.signed
            and (parts.in_query or 'x-amz-date' in parts.signed))


def _is_fresh(parts: _V4Parts, now: float) -> bool:
    at = _moment(parts.date, '%Y%m%dT%H%M%SZ')
    return at is not None and -TTL <= now - at <= min(parts.lives, TTL)


def _v4(secret: str, request: SignedRequest, parts: _V4Parts) -> Iterator[str]:
    """Yield the signatures that would be right."""
    key = f'AWS4{secret}'.encode()
    for part in parts.scope[1:]:
        key = hmac.digest(key, part.encode(), 'sha256')
    given = {name: value for name, value in request.params.items() if name != 'X-Amz-Signature'}
    # The parameters of a form are in the body, whose hash is signed.
    query = '' if request.verb == 'POST' and not parts.in_query else _query(given)
    for host in _hosts(request.headers.get('host') or request.host):
        lines = ''.join(f'{name}:{_trimmed(host if name == "host" else request.headers.get(name, ""))}\n'
                        for name in parts.signed)
        canonical = '\n'.join([request.verb, request.path, query, lines, ';'.join(parts.signed), request.body_hash])
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = '\n'.join([_V4, parts.date, '/'.join(parts.scope[1:]), digest])
        yield hmac.digest(key, text.encode(), 'sha256').hex()


def _trimmed(value: str) -> str:
    return ' '.join(value.split())


def _query(params: dict[str, str]) -> str:
    pairs = sorted((quote(name, safe='-_.~'), quote(value, safe='-_.~')) for name, value in params.items())
    return '&'.join(f'{name}={value}' for name, value in pairs)


def _v2(secret: str, request: SignedRequest) -> Iterator[str]:
    digest = _DIGESTS.get(request.params.get('SignatureMethod', 'HmacSHA256'))
    if digest is None or request.params.get('AWSAccessKeyId', request.access) != request.access:
        return
    given = {name: value for name, value in request.params.items() if name != 'Signature'}
    for host in _hosts(request.host):
        text = f'{request.verb}\n{host.lower()}\n{request.path}\n{_query(given)}'
        yield base64.b64encode(hmac.new(secret.encode(), text.encode(), digest).digest()).decode()


def _is_fresh_v2(request: SignedRequest, now: float) -> bool:
    """Take a timestamp or an expiry, not both."""
    stamp, expires = request.params.get('Timestamp'), request.params.get('Expires')
    if (stamp is None) == (expires is None):
        return False
    at = _moment(re.sub(r'(\.\d+)?Z?$', '', stamp or expires or ''), '%Y-%m-%dT%H:%M:%S')
    if at is None:
        return False
    return abs(now - at) <= TTL if stamp is not None else 0 <= at - now <= TTL


def _moment(text: str, form: str) -> int | None:
    try:
        return calendar.timegm(time.strptime(text, form))
    except ValueError:
        return None
