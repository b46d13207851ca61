"""Settle under which URL clients know this API: links are made of the scheme, the host and the prefix found here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from compute.exception import Invalid
from compute.http.head import is_host
from compute.http.reader import REFUSAL

Wsgi = Callable[[dict[str, Any], Any], Any]
_PREFIX = re.compile(r"(?:/[0-9A-Za-z._~!$&'()*+,;=:@%-]+)*/?")
_PEER = 'compute.peer'


class PublicUrl:
    """Uses ``url`` (``[api] public_endpoint`` and the like), whatever Host or a proxy says."""

    def __init__(self, app: Wsgi, url: str) -> None:
        parts = urlsplit(url)
        self._app, self._scheme, self._host, self._prefix = app, parts.scheme, parts.netloc, parts.path.rstrip('/')

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ['wsgi.url_scheme'], environ['HTTP_HOST'] = self._scheme, self._host
        environ['SCRIPT_NAME'] = self._prefix
        return self._app(environ, start_response)


class KeepPeer:
    """Runs before the parser of X-Forwarded-* and stores the address of the peer for ``CheckForwarded``."""

    def __init__(self, app: Wsgi) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ[_PEER] = environ.get('REMOTE_ADDR', '')
        return self._app(environ, start_response)


class CheckForwarded:
    """Runs after the parser of X-Forwarded-* and accepts only a valid scheme, host, path and address.

    A proxy that passes on what a client wrote into these headers must not let it write links.
    """

    def __init__(self, app: Wsgi) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ['wsgi.url_scheme'] = scheme = _first(environ['wsgi.url_scheme']).lower()
        prefix = environ.get('SCRIPT_NAME', '')
        environ['SCRIPT_NAME'] = prefix.rstrip('/')
        if 'HTTP_HOST' in environ:
            environ['HTTP_HOST'] = _first(environ['HTTP_HOST'])
        seen = _forwarded_for(environ['HTTP_FORWARDED']) if environ.get('HTTP_FORWARDED') else \
            environ.get('REMOTE_ADDR', '')
        environ['REMOTE_ADDR'] = _address(seen) or environ.get(_PEER, '')
        if scheme not in ('http', 'https'):
            environ['wsgi.url_scheme'] = 'http'
            environ.setdefault(REFUSAL, Invalid('The forwarded scheme is neither http nor https'))
        if not is_host(environ.get('HTTP_HOST', 'none')):
            environ['HTTP_HOST'] = 'invalid'
            environ.setdefault(REFUSAL, Invalid('The forwarded host is not a name or address with an optional port'))
        if not _PREFIX.fullmatch(prefix):
            environ['SCRIPT_NAME'] = ''
            environ.setdefault(REFUSAL, Invalid('The forwarded prefix is not a path'))
        return self._app(environ, start_response)


def _first(text: str) -> str:
    """Return the first of several values, which the outermost proxy gave."""
    return text.partition(',')[0].strip().strip('"')


def _forwarded_for(text: str) -> str:
    """Return who the last element of Forwarded (RFC 7239) is for; HTTPProxyToWSGI takes the first one's word."""
    pairs = (pair.partition('=') for pair in text.rpartition(',')[2].split(';'))
    return next((value.strip() for name, _, value in pairs if name.strip().lower() == 'for'), '')


def _address(text: str) -> str | None:
    """Return the client's address: the last of several, since the client can forge the earlier ones."""
    last = text.rpartition(',')[2].strip().strip('"')
    if match := re.fullmatch(r'\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+', last):
        last = match.group(1) or match.group(2)
    try:
        found = ipaddress.ip_address(last)
    except ValueError:
        return None
    return str(getattr(found, 'ipv4_mapped', None) or found)
