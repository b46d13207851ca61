"""The line that each request leaves in the log."""

from __future__ import annotations

import logging

import pytest
import webob

from compute.rest.middleware.request_log import RequestLog


@pytest.mark.parametrize(('path', 'shown'), [
    ('/v2.1/servers/a%0a2026-01-01 INFO root did it', '/v2.1/servers/a%0A2026-01-01%20INFO%20root%20did%20it'),
    ('/v2.1/servers?name=a%0ab', '/v2.1/servers?name=a%0ab'), ('/v2/images/%C3%A9/tags', '/v2/images/%C3%A9/tags')])
def test_nobody_writes_lines_of_their_own(caplog: pytest.LogCaptureFixture, path: str, shown: str) -> None:
    with caplog.at_level(logging.INFO):
        webob.Request.blank(path.replace(' ', '%20')).get_response(RequestLog(webob.Response()))
    line, = caplog.messages
    assert f'"GET {shown}"' in line and '\n' not in line


@pytest.mark.parametrize(('name', 'value', 'shown'), [
    ('HTTP_OPENSTACK_API_VERSION', 'compute 2.1\r\n2026-01-01 root did it', r'compute 2.1\r\n2026-01-01 root did it'),
    ('QUERY_STRING', 'a=\x1b[2J\xe9', r'/?a=\x1b[2J\xe9'), ('REMOTE_ADDR', '::1\nroot', r'::1\nroot'),
    ('REQUEST_METHOD', 'GET\x1b', r'GET\x1b'), ('HTTP_OPENSTACK_API_VERSION', 'compute 2.95', 'compute 2.95')])
def test_nothing_that_a_client_sends_moves_the_cursor(caplog: pytest.LogCaptureFixture, name: str, value: str,
                                                      shown: str) -> None:
    environ = {**webob.Request.blank('/').environ, name: value}
    with caplog.at_level(logging.INFO):
        RequestLog(lambda environ, start: start('200 OK', []) or [])(environ, lambda status, headers: None)
    line, = caplog.messages
    assert shown in line and line.isascii() and line.isprintable()
