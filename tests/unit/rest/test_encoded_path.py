"""Slashes inside a part of a path, as each server hands the path over."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, unquote

import pytest

from compute.http_server import HttpServer
from compute.rest.encoded_path import matchable, plain


@pytest.mark.parametrize(('environ', 'path', 'expected'), [
    ({}, '/tags/a', '/tags/a'), ({}, '/tags/a%b', '/tags/a%25b'), ({}, '/tags/a/b', '/tags/a/b'),
    ({'RAW_PATH_INFO': '/v2.0/tags/a%2Fb'}, '/tags/a/b', '/tags/a%2Fb'),
    ({'RAW_PATH_INFO': '/v2.0/tags/a%2fb%2F'}, '/tags/a/b/', '/tags/a%2Fb%2F'),
    ({'RAW_PATH_INFO': '/v2.0/tags/a%252Fb'}, '/tags/a%2Fb', '/tags/a%252Fb'),
    ({'RAW_PATH_INFO': '/v2.0/t%61gs/a%2Fb'}, '/tags/a/b', '/tags/a%2Fb'),
    ({'REQUEST_URI': '/v2.0/tags/a%2Fb?x=%2F'}, '/tags/a%2Fb', '/tags/a%2Fb'),
    ({'REQUEST_URI': 'http://host/v2.0/tags/a%2Fb'}, '/tags/a%2Fb', '/tags/a%2Fb'),
    ({'REQUEST_URI': '/v2.0/tags/%C3%BC%2Fb'}, '/tags/\u00fc%2Fb', '/tags/\u00fc%2Fb'),
    ({'REQUEST_URI': '/tags/a?x=%2F'}, '/tags/a', '/tags/a'),
    # A path as sent that is of another URL decides nothing.
    ({'RAW_PATH_INFO': '/v2.0/other/a%2Fb'}, '/tags/a/b', '/tags/a/b'),
    ({'REQUEST_URI': '//[%2F'}, '//[/', '//[%2F'), ({'REQUEST_URI': '//host/tags/a%2Fb'}, '/tags/a/b', '/tags/a%2Fb'),
    ({'REQUEST_URI': '//a%2Fb//c/'}, '//a/b//c/', '//a%2Fb//c/'), ({'REQUEST_URI': '/v2.0%2F'}, '/', '/'),
    ({'RAW_PATH_INFO': '/%2F'}, '/tags', '/tags'), ({'RAW_PATH_INFO': '%2F'}, '/', '/')])
def test_slashes_in_parts_stay_encoded(environ: dict[str, str], path: str, expected: str) -> None:
    assert matchable(environ, path) == expected


@pytest.mark.parametrize('tag', ['a/b', '/', 'a%2Fb', 'a%b', '100%', 'a,b', '\u00fc/\u00df', 'kubernetes.io/cluster/x',
                                 '%25'])
def test_a_part_comes_back_from_a_server(tag: str) -> None:
    seen: list[dict[str, Any]] = []

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        seen.append(environ)
        start_response('204 No Content', [])
        return []
    server = HttpServer(app, '127.0.0.1', 0, 2)
    server.start()
    try:
        connection = http.client.HTTPConnection(*server._listener.getsockname()[:2], timeout=30)
        connection.request('GET', f'/tags/{quote(tag, safe="")}')
        assert connection.getresponse().status == 204
        connection.close()
    finally:
        server.stop()
    path = seen[0]['PATH_INFO'].encode('latin-1').decode()
    assert tag in (path.removeprefix('/tags/'), unquote(path.removeprefix('/tags/')))
    empty, tags, last = matchable(seen[0], path).split('/')
    assert (empty, tags, plain({'tag': last})) == ('', 'tags', {'tag': tag})
