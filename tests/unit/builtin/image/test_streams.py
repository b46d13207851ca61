"""Which requests the server of the image daemon streams: the data of images, and nothing else that looks like it."""

from __future__ import annotations

import inspect

import pytest

from compute.builtin.image.daemon import RESOURCES, ImageDaemon
from compute.http.head import parse

ID = '11111111-2222-3333-4444-555555555555'
OPS = [op for resource in RESOURCES for op in resource.ops]


@pytest.mark.parametrize(('method', 'target', 'streamed'), [
    ('PUT', f'/v2/images/{ID}/file', True), ('GET', f'/v2/images/{ID}/file', True),
    ('GET', f'/v2/images/{ID}/file?x=/y', True), ('PUT', f'/v2/images/{ID}/%66ile', True),
    ('PUT', f'http://image:9292/v2/images/{ID}/file', True), ('PUT', '/v2/images/nonsense/file', True),
    ('POST', f'/v2/images/{ID}/file', False), ('PATCH', f'/v2/images/{ID}/file', False),
    ('DELETE', f'/v2/images/{ID}/file', False), ('HEAD', f'/v2/images/{ID}/file', False),
    ('PUT', f'/v2/images/{ID}/file/', False), ('PUT', f'/v2/images/{ID}/tags/file', False),
    ('PUT', f'/v2/images/{ID}/tags/a%2Ffile', False), ('PUT', f'/v2/images/{ID}/members/file', False),
    ('PUT', '/v2/images/a%2Fb/file', True), ('GET', '/v2/images/file', False), ('GET', '/v2/schemas/file', False),
    ('PUT', f'/v3/images/{ID}/file', False), ('PUT', f'/images/{ID}/file', False), ('PUT', '/file', False),
    ('GET', f'/v2/images?marker={ID}/file', False), ('PUT', f'/v2/images/{ID}/stage', False),
    ('POST', f'/v2/images/{ID}/import', False), ('OPTIONS', '*', False)])
def test_what_is_streamed(method: str, target: str, streamed: bool) -> None:
    head = parse(f'{method} {target} HTTP/1.1\r\nHost: h'.encode(), {})
    assert ImageDaemon.is_stream(head.environ) is streamed


def test_the_table_marks_what_reads_or_sends_without_bound() -> None:
    unbound = [op for op in OPS if op.raw or 'Stream' in str(inspect.signature(op.handler).return_annotation)]
    assert unbound == [op for op in OPS if op.streams] != []


def test_ways_that_are_not_there_take_no_data() -> None:
    """Staging and import would have to be marked as well."""
    assert not [op.path for op in OPS if op.method != 'GET' and op.path.endswith(('/stage', '/import'))]
