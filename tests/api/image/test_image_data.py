"""Data of images: upload, download, ranges, limits, refusals, and that a failure leaves nothing behind."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import pathlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import webob

from compute import metrics
from compute.builtin.image import store
from compute.builtin.image.db import images as rows
from compute.exception import Unavailable
from compute.objects.error_codes import meaning
from tests.api.image.support import ADMIN, MEMBER, OTHER, READER, Images
from tests.unit.builtin.image import making

DATA = bytes(range(256)) * 10000


def files(tmp_path: pathlib.Path) -> list[str]:
    return [name for _, _, names in os.walk(tmp_path / 'images') for name in names]


def check_clean(images: Images, image_id: str, tmp_path: pathlib.Path) -> None:
    """The image is queued as if nothing had been tried."""
    shown = images('GET', f'/v2/images/{image_id}').json
    assert (shown['status'], shown['size'], shown['checksum']) == ('queued', None, None)
    assert files(tmp_path) == []


def test_what_an_upload_finds_is_shown(images: Images) -> None:
    image_id = images.make(data=DATA)
    shown = images('GET', f'/v2/images/{image_id}').json
    assert (shown['status'], shown['size'], shown['virtual_size']) == ('active', len(DATA), len(DATA))
    assert shown['checksum'] == hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    assert (shown['os_hash_algo'], shown['os_hash_value']) == ('sha512', hashlib.sha512(DATA).hexdigest())
    answer = images('GET', f'/v2/images/{image_id}/file')
    assert answer.body == DATA and answer.content_type == 'application/octet-stream'
    assert answer.headers['Content-MD5'] == shown['checksum'] and answer.content_length == len(DATA)


def test_the_virtual_size_of_a_format_is_that_of_its_disk(images: Images) -> None:
    image_id = images.make(data=making.qcow2(3 * making.GIB), disk_format='qcow2')
    assert images('GET', f'/v2/images/{image_id}').json['virtual_size'] == 3 * making.GIB


@pytest.mark.parametrize(('changed', 'status'), [('qcow2', 204), ('raw', 415), (None, 400)])
def test_data_is_inspected_as_the_format_that_the_image_has_when_the_upload_begins(
        images: Images, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, changed: str | None,
        status: int) -> None:
    """The format may be changed after the image was looked at and before the upload has it to itself."""
    image_id, begin = images.make(disk_format='raw' if changed == 'qcow2' else 'qcow2'), rows.begin_upload

    def late(*args: Any) -> bool:
        images('PATCH', f'/v2/images/{image_id}', [{'op': 'replace', 'path': '/disk_format', 'value': changed}])
        return begin(*args)
    monkeypatch.setattr(rows, 'begin_upload', late)
    images('PUT', f'/v2/images/{image_id}/file', making.qcow2(making.GIB), status=status)
    if status != 204:
        check_clean(images, image_id, tmp_path)


@pytest.mark.parametrize(('asked', 'status', 'start', 'end'), [
    ('bytes=0-9', 206, 0, 10), ('bytes=100-', 206, 100, len(DATA)), ('bytes=-5', 206, len(DATA) - 5, len(DATA)),
    (f'bytes=10-{len(DATA) * 2}', 206, 10, len(DATA)), (f'bytes=0-{len(DATA) - 1}', 200, 0, len(DATA)),
    ('bytes=5-2', 200, 0, len(DATA)), ('lines=1-2', 200, 0, len(DATA)), ('bytes=1-2,5-6', 200, 0, len(DATA)),
    ('bytes=-', 200, 0, len(DATA))])
def test_ranges(images: Images, asked: str, status: int, start: int, end: int) -> None:
    image_id = images.make(data=DATA)
    answer = images('GET', f'/v2/images/{image_id}/file', headers={'Range': asked}, status=status)
    assert answer.body == DATA[start:end]
    if status == 206:
        assert answer.headers['Content-Range'] == f'bytes {start}-{end - 1}/{len(DATA)}'


def test_a_range_outside_is_refused(images: Images) -> None:
    image_id = images.make(data=DATA)
    images('GET', f'/v2/images/{image_id}/file', headers={'Range': f'bytes={len(DATA)}-'}, status=416)


def test_head_of_data_opens_and_closes_it(images: Images) -> None:
    image_id = images.make(data=DATA)
    images('HEAD', f'/v2/images/{image_id}/file', status=200)  # opens what is kept: connections, threads
    before = len(os.listdir('/proc/self/fd'))
    assert images('HEAD', f'/v2/images/{image_id}/file', status=200).content_length == len(DATA)
    assert len(os.listdir('/proc/self/fd')) == before


def test_no_data_is_an_empty_answer(images: Images) -> None:
    images('GET', f'/v2/images/{images.make()}/file', status=204)


def test_an_empty_image_is_an_image(images: Images) -> None:
    image_id = images.make(data=b'')
    assert images('GET', f'/v2/images/{image_id}').json['size'] == 0
    assert images('GET', f'/v2/images/{image_id}/file', status=200).body == b''


def test_data_is_uploaded_once(images: Images) -> None:
    image_id = images.make(data=b'one')
    refused = images('PUT', f'/v2/images/{image_id}/file', b'two', status=409)
    assert 'is active' in refused.json['message']
    assert images('GET', f'/v2/images/{image_id}/file').body == b'one'


@pytest.mark.parametrize('missing', ['disk_format', 'container_format'])
def test_formats_are_set_before_the_upload(images: Images, missing: str) -> None:
    image_id = images.make(**{missing: None})
    assert missing in images('PUT', f'/v2/images/{image_id}/file', b'x', status=400).json['message']


def test_data_has_one_media_type(images: Images) -> None:
    images('PUT', f'/v2/images/{images.make()}/file', b'{}', headers={'Content-Type': 'application/json'}, status=415)


def test_formats_stay_when_there_is_data(images: Images) -> None:
    image_id = images.make(data=b'x')
    for name in ('disk_format', 'container_format'):
        images('PATCH', f'/v2/images/{image_id}', [{'op': 'replace', 'path': f'/{name}', 'value': 'ami'}], status=403)


def test_only_the_owner_uploads_and_readers_read(images: Images) -> None:
    image_id = images.make()
    images('PUT', f'/v2/images/{image_id}/file', b'x', token=READER, status=403)
    images('PUT', f'/v2/images/{image_id}/file', b'x', token=OTHER, status=404)
    images('PUT', f'/v2/images/{image_id}/file', b'x', status=204)
    assert images('GET', f'/v2/images/{image_id}/file', token=READER).body == b'x'


@pytest.mark.parametrize(('declared', 'data', 'why'), [
    ('raw', making.qcow2(), 'declared raw but its data is qcow2'),
    ('qcow2', b'nothing', 'declared qcow2 but its data is raw'),
    ('qcow2', making.qcow2(backing=104), 'backing file'), ('vdi', making.vdi(2 ** 63), f'size is {2 ** 63} bytes')])
def test_lies_are_refused_and_leave_nothing(images: Images, tmp_path: pathlib.Path, declared: str, data: bytes,
                                            why: str) -> None:
    image_id = images.make(disk_format=declared)
    assert why in images('PUT', f'/v2/images/{image_id}/file', data, status=415).json['message']
    check_clean(images, image_id, tmp_path)


def test_the_check_can_be_turned_off(site: Callable[..., Images]) -> None:
    site(require_image_format_match=False).make(data=making.qcow2(backing=104), disk_format='raw')


def test_too_large_is_refused_by_its_header_and_on_the_way(site: Callable[..., Images], tmp_path: pathlib.Path) -> None:
    images = site(max_image_size=1000)
    image_id = images.make()
    for headers in ({}, {'Transfer-Encoding': 'chunked'}):
        refused = images('PUT', f'/v2/images/{image_id}/file', bytes(1001), headers=headers, status=413)
        assert '1000' in refused.json['message']
        check_clean(images, image_id, tmp_path)
    images('PUT', f'/v2/images/{image_id}/file', bytes(1000), status=204)


def test_the_bytes_of_a_project_are_limited(site: Callable[..., Images]) -> None:
    images = site(project_total_size=1500)
    first = images.make(data=bytes(1000))
    second = images.make()
    assert 'p1' in images('PUT', f'/v2/images/{second}/file', bytes(501), status=413).json['message']
    images.make(data=bytes(1000), token=OTHER)
    images('DELETE', f'/v2/images/{first}', status=204)
    images('PUT', f'/v2/images/{second}/file', bytes(501), status=204)


def test_an_upload_that_another_overtook_has_what_is_left(site: Callable[..., Images], tmp_path: pathlib.Path) -> None:
    images = site(project_total_size=1500)
    first, second = images.make(), images.make()

    class Overtaken(io.BytesIO):
        """A body before which another upload comes and goes."""

        def read(self, size: int | None = -1) -> bytes:
            if not self.tell():
                images('PUT', f'/v2/images/{second}/file', bytes(1000), status=204)
            return super().read(size)
    request = webob.Request.blank(f'/v2/images/{first}/file', method='PUT', body_file=Overtaken(bytes(501)),
                                  content_type='application/octet-stream', headers={'X-Auth-Token': MEMBER})
    request.content_length = 501
    answer = request.get_response(images.wsgi)
    assert answer.status_int == 413 and 'p1 has 500 of its 1500 bytes left' in answer.json['message']
    shown = images('GET', f'/v2/images/{first}').json
    assert (shown['status'], shown['size']) == ('queued', None) and files(tmp_path) == [second]
    images('PUT', f'/v2/images/{first}/file', bytes(500), status=204)


def test_uploads_in_threads_share_the_bytes_of_their_project(site: Callable[..., Images],
                                                             tmp_path: pathlib.Path) -> None:
    images = site(project_total_size=1500)
    made, gate = [images.make() for _ in range(6)], threading.Barrier(6)
    finish = rows.finish_upload

    def together(*args: Any, **more: Any) -> bool:
        gate.wait(120)
        return finish(*args, **more)
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(6) as pool:
        patch.setattr(rows, 'finish_upload', together)
        answers = pool.map(lambda image_id: images('PUT', f'/v2/images/{image_id}/file', bytes(700)), made)
        assert sorted(answer.status_int for answer in answers) == [204, 204, 413, 413, 413, 413]
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(('name', 'body'), [
    ('max_properties', {'a': '1', 'b': '2'}), ('max_tags', {'tags': ['a', 'b']})])
def test_properties_and_tags_are_limited(site: Callable[..., Images], name: str, body: dict[str, Any]) -> None:
    images = site(**{name: 1})
    assert 'limit is 1' in images('POST', '/v2/images', body, status=413).json['message']


def test_images_and_members_of_a_project_are_limited(site: Callable[..., Images]) -> None:
    images = site(project_total_count=1, max_members=1)
    image_id = images.make()
    assert 'limit is 1' in images('POST', '/v2/images', {}, status=413).json['message']
    images('POST', f'/v2/images/{image_id}/members', {'member': 'p2'}, status=200)
    assert 'limit is 1' in images('POST', f'/v2/images/{image_id}/members', {'member': 'p3'}, status=413).text


@pytest.mark.parametrize(('number', 'status'), [(errno.ENOSPC, 413), (errno.EDQUOT, 413), (errno.EIO, 503)])
@pytest.mark.parametrize('step', ['_write', '_publish'])
def test_a_disk_that_fails_leaves_nothing(images: Images, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch,
                                          caplog: pytest.LogCaptureFixture, number: int, status: int,
                                          step: str) -> None:
    def fail(*args: Any) -> None:
        raise OSError(number, os.strerror(number))
    image_id = images.make()
    with monkeypatch.context() as patch:
        patch.setattr(store.Upload, step, fail)
        told = images('PUT', f'/v2/images/{image_id}/file', DATA, status=status)
        detailed = images('PUT', f'/v2/images/{image_id}/file', DATA, token=ADMIN, status=status)
    assert told.json['message'] == meaning('store_unavailable') if status == 503 else 'is full' in told.json['message']
    for answer in (told, detailed):
        assert os.strerror(number) not in answer.text
    assert str(tmp_path) not in told.text and str(tmp_path) in detailed.text
    assert os.strerror(number) in caplog.text
    check_clean(images, image_id, tmp_path)
    images('PUT', f'/v2/images/{image_id}/file', DATA, status=204)


def test_why_an_upload_broke_off_is_logged_and_not_shown(images: Images, tmp_path: pathlib.Path,
                                                         caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def read(self, size: int = -1) -> bytes:
            raise OSError(errno.ECONNRESET, 'words of the library')
    image_id = images.make()
    request = webob.Request.blank(f'/v2/images/{image_id}/file', method='PUT', headers={'X-Auth-Token': MEMBER},
                                  content_type='application/octet-stream')
    request.environ['wsgi.input'], request.environ['CONTENT_LENGTH'] = Broken(), '5'
    with caplog.at_level('INFO'):
        answer = request.get_response(images.wsgi)
    assert answer.status_int == 400 and 'broke off' in answer.text and 'library' not in answer.text
    assert 'words of the library' in caplog.text
    check_clean(images, image_id, tmp_path)


def test_a_commit_whose_answer_was_lost_keeps_the_data(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = rows.finish_upload

    def lose(*args: Any, **more: Any) -> bool:
        finish(*args, **more)
        raise Unavailable('The database does not answer')
    image_id = images.make()
    with monkeypatch.context() as patch:
        patch.setattr(rows, 'finish_upload', lose)
        images('PUT', f'/v2/images/{image_id}/file', DATA, status=503)
    assert images('GET', f'/v2/images/{image_id}/file', status=200).body == DATA


def test_deleting_removes_the_data(images: Images, tmp_path: pathlib.Path) -> None:
    image_id = images.make(data=DATA)
    assert files(tmp_path) == [image_id]
    images('DELETE', f'/v2/images/{image_id}', status=204)
    assert files(tmp_path) == []


def test_a_file_that_is_lost_is_told(images: Images, tmp_path: pathlib.Path) -> None:
    image_id = images.make(data=DATA)
    (tmp_path / 'images' / image_id).unlink()
    assert 'not in the store' in images('GET', f'/v2/images/{image_id}/file', status=404).json['message']


@pytest.mark.parametrize('size', [len(DATA) - 1, len(DATA) + 1, 0])
def test_a_file_of_another_size_is_not_sent(images: Images, tmp_path: pathlib.Path, size: int) -> None:
    image_id = images.make(data=DATA)
    before = metrics.value('compute_image_data_damaged_total', 'size')
    with open(tmp_path / 'images' / image_id, 'r+b') as file:
        file.truncate(size)
    for part in ({}, {'Range': 'bytes=0-1'}):
        answer = images('GET', f'/v2/images/{image_id}/file', headers=part, status=404)
        assert f'has {size} of its {len(DATA)} bytes' in answer.json['message']
    assert metrics.value('compute_image_data_damaged_total', 'size') == before + 2


def test_a_deactivated_image_is_read_by_administrators_only(images: Images) -> None:
    image_id = images.make(data=DATA)
    for _ in range(2):
        images('POST', f'/v2/images/{image_id}/actions/deactivate', status=204)
    assert images('GET', f'/v2/images/{image_id}').json['status'] == 'deactivated'
    images('GET', f'/v2/images/{image_id}/file', status=403)
    assert images('GET', f'/v2/images/{image_id}/file', token=ADMIN).body == DATA
    images('PUT', f'/v2/images/{image_id}/file', b'x', status=409)
    for _ in range(2):
        images('POST', f'/v2/images/{image_id}/actions/reactivate', status=204)
    assert images('GET', f'/v2/images/{image_id}/file').body == DATA


def test_an_image_without_data_is_not_deactivated(images: Images) -> None:
    image_id = images.make()
    images('POST', f'/v2/images/{image_id}/actions/deactivate', status=403)
    images('POST', f'/v2/images/{image_id}/actions/reactivate', token=OTHER, status=404)
