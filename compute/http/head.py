"""Parse the head of an HTTP/1.1 request (RFC 9112), strictly.

Whatever two programs could read in two ways is refused: a proxy in front and this server must never disagree about
where a request ends (request smuggling). So there is one Host, one Content-Length of digits only or else ``chunked``,
every line ends with CR LF, every header has a name and a colon and stands on one line, and no target has a fragment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from compute.http.rules import MAX_HEADERS, MAX_LINE

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE = re.compile(rf'({_TOKEN}) ([!-~\x80-\xff]+) HTTP/([0-9])\.([0-9])')
_LONGEST_METHOD = 32
_NAME = re.compile(_TOKEN)
_FORBIDDEN = re.compile(r'[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')
_BARE = re.compile(r'\r(?!\n)|(?<!\r)\n')
_HOST = re.compile(r'(?:[0-9A-Za-z](?:[0-9A-Za-z._-]{0,253})|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?')
_LENGTH = re.compile('[0-9]{1,18}')
_ABSOLUTE = re.compile(r'https?://([^/?]+)', re.IGNORECASE)
_ONCE = frozenset(('HTTP_HOST', 'CONTENT_LENGTH', 'CONTENT_TYPE', 'HTTP_TRANSFER_ENCODING', 'HTTP_X_AUTH_TOKEN'))
_MOST_KEYS = 2000
_keys: dict[str, str] = {}


class Refused(Exception):
    """The head of a request that is not served: a status and the reason."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Head:
    """A request without its body. ``length`` is None where the body is chunked."""

    environ: dict[str, Any]
    length: int | None
    keep: bool
    expects: bool


def parse(raw: bytes, base: dict[str, Any]) -> Head:
    """Return the head in ``raw``, which ends before its empty line, as a WSGI environment on top of ``base``.

    :raises Refused: it breaks a rule.
    """
    text = raw.decode('latin-1')
    if _FORBIDDEN.search(text):
        raise Refused(400, 'The headers have a control character in them')
    if _BARE.search(text):
        raise Refused(400, 'A line of the headers does not end with CR LF')
    line, _, rest = text.partition('\r\n')
    method, target, minor = _request_line(line)
    environ = {**base, 'REQUEST_METHOD': method, 'SERVER_PROTOCOL': f'HTTP/1.{minor}'}
    authority = _set_target(environ, target)
    if rest:
        _set_headers(environ, rest)
    _check_host(environ, minor)
    if authority is not None:
        environ['HTTP_HOST'] = authority
        _check_host(environ, minor)
    length = _framing(environ, minor)
    connection = environ.get('HTTP_CONNECTION', '').lower()
    keep = 'close' not in connection and (minor > 0 or 'keep-alive' in connection)
    return Head(environ, length, keep, minor > 0 and environ.get('HTTP_EXPECT', '').lower() == '100-continue')


def _request_line(line: str) -> tuple[str, str, int]:
    found = _LINE.fullmatch(line)
    if found is None:
        raise Refused(400, 'The request line is not METHOD TARGET HTTP/1.1')
    method, target, major, minor = found.groups()
    if major != '1':
        raise Refused(505, f'HTTP/{major}.{minor} is not spoken here; HTTP/1.1 is')
    if len(method) > _LONGEST_METHOD:
        raise Refused(501, f'The method has {len(method)} characters; the limit is {_LONGEST_METHOD}')
    if len(target) > MAX_LINE:
        raise Refused(414, f'The URL has {len(target)} characters; the limit is {MAX_LINE}')
    return method, target, min(int(minor), 1)


def _set_target(environ: dict[str, Any], target: str) -> str | None:
    """Set what is known from the target; return the host of one in absolute form, which goes before the header's."""
    authority = None
    if '#' in target:
        raise Refused(400, 'The URL of the request has a # in it')
    if target[0] != '/' and (absolute := _ABSOLUTE.match(target)):
        authority = absolute.group(1)
        target = target[absolute.end():] or '/'
        target = target if target[0] == '/' else f'/{target}'
    if target[0] != '/' and (target != '*' or environ['REQUEST_METHOD'] != 'OPTIONS'):
        raise Refused(400, 'The URL of the request does not begin with /')
    path, _, query = target.partition('?')
    environ['REQUEST_URI'], environ['QUERY_STRING'] = target, query
    environ['PATH_INFO'] = unquote_to_bytes(path.encode('latin-1')).decode('latin-1') if '%' in path else path
    return authority


def _set_headers(environ: dict[str, Any], text: str) -> None:
    if text[0] in ' \t' or '\r\n ' in text or '\r\n\t' in text:
        raise Refused(400, 'A line of the headers begins with a blank; a header must stand on one line')
    lines = text.split('\r\n')
    if len(lines) > MAX_HEADERS:
        raise Refused(431, f'The request has {len(lines)} headers; the limit is {MAX_HEADERS}')
    for line in lines:
        name, colon, value = line.partition(':')
        key = _keys.get(name) or _key(name, colon)
        if not key or not colon:
            raise Refused(400, 'A header has no colon')
        if key == '_':
            continue
        value = value.strip(' \t')
        if key in environ:
            if key in _ONCE:
                raise Refused(400, f'The header {name} is given more than once')
            value = f'{environ[key]}, {value}'
        environ[key] = value


def _key(name: str, colon: str) -> str:
    """Return the name of a header in WSGI; ``_`` for one that is dropped.

    A name with an underscore would be the same there as another one with a hyphen.
    """
    if not _NAME.fullmatch(name):
        raise Refused(400, 'The name of a header has a character that is not allowed' if colon else
                      'A header has no colon')
    plain = name.upper().replace('-', '_')
    key = '_' if '_' in name else plain if plain in ('CONTENT_TYPE', 'CONTENT_LENGTH') else f'HTTP_{plain}'
    if len(_keys) < _MOST_KEYS and len(name) < 64:
        _keys[name] = key
    return key


def _check_host(environ: dict[str, Any], minor: int) -> None:
    host = environ.get('HTTP_HOST')
    if host is None:
        if minor:
            raise Refused(400, 'The header Host is missing')
    elif not is_host(host):
        raise Refused(400, 'The header Host is no name or address with an optional port')


def is_host(text: str) -> bool:
    """Return whether a text is a name or an address, with or without a port."""
    return _HOST.fullmatch(text) is not None


def _framing(environ: dict[str, Any], minor: int) -> int | None:
    coding, length = environ.get('HTTP_TRANSFER_ENCODING'), environ.get('CONTENT_LENGTH')
    if coding is not None:
        if length is not None or not minor:
            raise Refused(400, 'Transfer-Encoding comes with Content-Length, or with HTTP/1.0')
        if coding.lower() != 'chunked':
            raise Refused(501, 'Transfer-Encoding is not chunked')
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise Refused(400, 'Content-Length is no decimal number of at most 18 digits')
    return int(length)
