"""The data of an image: it comes and goes as a stream, of any size, in bounded memory.

An upload that fails for any reason leaves the image queued and nothing in the store; what fails with the whole process
is left to ``sweep.py``.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Callable
from typing import Any, TypeVar

from compute.builtin.image import record
from compute.builtin.image.application import App, load_image
from compute.builtin.image.db import images
from compute.builtin.image.record import Data, Image
from compute.builtin.image.store import BLOCK, Upload
from compute.disk_format import DataRefused, FormatInspection
from compute.exception import Conflict, Forbidden, Gone, Invalid, TooLarge
from compute.objects.value import now
from compute.rest.call import Call
from compute.rest.op import Op, Resource, nothing
from compute.rest.reply import Reply, Stream

LOG = logging.getLogger(__name__)
T = TypeVar('T')
_MEDIA = 'application/octet-stream'
_RANGE = re.compile(r'bytes=([0-9]{0,19})-([0-9]{0,19})')


def upload(call: Call) -> None:
    """Take the data of a queued image.

    :raises Conflict: the image has data, or is getting it. :raises Invalid: 415 when the data is not what the image
    says, 400 when it breaks off. :raises TooLarge: over a limit, which other uploads may have reached meanwhile, or the
    disk is full.
    """
    image = call.target
    _check_uploadable(call, image)
    limit, why = _limit(call.app, image)
    announced = call.headers.get('Content-Length') or ''
    if re.fullmatch('[0-9]{1,20}', announced) and int(announced) > limit:
        raise TooLarge(f'Image {image.id} would have {announced} bytes; {why}.', code='image_size_limit')
    sink = call.app.store.upload()
    try:
        if not images.begin_upload(call.app.db, image.id, sink.id, now()):
            raise _busy(image)
        # As it is now: its formats could be changed until the upload began, and cannot from here on.
        image = images.get(call.app.db, image.id)
        _check_formats(image)
        _take(call, image, sink, limit, why)
    except BaseException:
        _undo(call.app, image, sink)
        raise
    finally:
        sink.close()


def _undo(app: App, image: Image, sink: Upload) -> None:
    """Make the image queued again. If the database does not answer, the sweep sees to it."""
    # Published data may be the image's by now: it was finished, and only the answer of the database was lost.
    if not sink.published or images.is_unfinished(app.db, image.id, sink.id):
        sink.discard()
    images.abandon_upload(app.db, image.id, sink.id, now())


def _take(call: Call, image: Image, sink: Upload, limit: int, why: str) -> None:
    inspection = FormatInspection(image.disk_format or '', image.container_format or '')
    enforce = call.app.options.require_image_format_match
    while chunk := _read(call.stream, image):
        if sink.size + len(chunk) > limit:
            raise TooLarge(f'Image {image.id} has more than {limit} bytes; {why}.', code='image_size_limit')
        inspection.feed(chunk)
        if enforce:
            _checked(inspection.check_beginning)
        sink.write(chunk)
    virtual_size = _checked(inspection.finish) if enforce else inspection.virtual_size()
    md5, sha512 = sink.digests
    data = Data(size=sink.size, virtual_size=virtual_size, checksum=md5, os_hash_value=sha512)
    sink.publish(image.id)
    if not images.finish_upload(call.app.db, image.id, sink.id, data, now(), owner=image.owner,
                                total=call.app.options.project_total_size):
        raise Gone(f'Image {image.id} was deleted while its data was uploaded.', code='image_deleted')
    LOG.info('image %s has its data: %d bytes', image.id, data.size)


def _checked(check: Callable[[], T]) -> T:
    """Return the result of ``check``. :raises Invalid: 415, the data is refused."""
    try:
        return check()
    except DataRefused as error:
        raise Invalid(f'The data of this image is refused: {error}.', code='image_format', status=415,
                      hint='convert it to a plain file of the declared format (qemu-img convert) and upload that'
                      ) from error


def _read(stream: Any, image: Image) -> bytes:
    try:
        return bytes(stream.read(BLOCK))
    except (OSError, ValueError) as error:  # what the servers raise for a body that breaks off
        LOG.info('the upload of image %s broke off: %s', image.id, error)
        raise Invalid(f'The upload of image {image.id} broke off', code='upload_broken') from error


def _check_uploadable(call: Call, image: Image) -> None:
    media = (call.headers.get('Content-Type') or '').partition(';')[0].strip()
    if media != _MEDIA:
        raise Invalid(f'The data of an image must be sent as {_MEDIA}, not as {media or "nothing"}.', status=415,
                      code='unsupported_media_type')
    if image.status != record.QUEUED:
        raise _busy(image)
    _check_formats(image)


def _check_formats(image: Image) -> None:
    for name in ('disk_format', 'container_format'):
        if getattr(image, name) is None:
            raise Invalid(f'{name} of image {image.id} must be set before its data is uploaded.', code='no_format')


def _busy(image: Image) -> Conflict:
    return Conflict(f'Image {image.id} is {image.status if image.status != record.QUEUED else record.SAVING}; data can '
                    f'be uploaded only once, while it is queued.', code='image_not_queued')


def _limit(app: App, image: Image) -> tuple[int, str]:
    most, total = app.options.max_image_size, app.options.project_total_size
    if total:
        left = max(0, total - images.stored_bytes(app.db, image.owner))
        if left < most:
            return left, f'project {image.owner} has {left} of its {total} bytes left'
    return most, f'the limit is {most}'


def download(call: Call) -> Stream | Reply:
    """Send the data, or a part of it (``Range``); 204 while there is none.

    :raises Forbidden: the image is deactivated. :raises Invalid: 416, the range lies outside. :raises NotFound: the
    store has no such data, or not all of it.
    """
    image: Image = call.target
    if image.status == record.DEACTIVATED and not call.may('download_deactivated'):
        raise Forbidden(f'Image {image.id} is deactivated; its data cannot be read.', code='image_deactivated')
    if image.size is None or image.status not in (record.ACTIVE, record.DEACTIVATED):
        return Reply(status=204)
    start, length = _range(call.headers.get('Range'), image)
    headers = {'Accept-Ranges': 'bytes', **({'Content-MD5': image.checksum} if image.checksum else {})}
    status = 200
    if length != image.size:
        status = 206
        headers = {'Accept-Ranges': 'bytes', 'Content-Range': f'bytes {start}-{start + length - 1}/{image.size}'}
    return Stream(call.app.store.open(image.id, image.size, start, length), length, headers=headers, status=status)


def _range(text: str | None, image: Image) -> tuple[int, int]:
    """Return (start, length). A range that is not understood, or several, mean the whole, as HTTP allows."""
    size = image.size or 0
    match = _RANGE.fullmatch((text or '').replace(' ', ''))
    if match is None or not any(match.groups()):
        return 0, size
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last), size - 1) if first and last else size - 1
    if first and last and int(last) < int(first):
        return 0, size
    if start >= size:
        raise Invalid(f'The range {text} lies outside of the {size} bytes of image {image.id}.', status=416,
                      code='bad_range')
    return start, end - start + 1


def deactivate(call: Call) -> None:
    """Keep the data from everybody but administrators. Once more changes nothing."""
    _move(call, record.ACTIVE, record.DEACTIVATED)


def reactivate(call: Call) -> None:
    """Let the data be read again. Once more changes nothing."""
    _move(call, record.DEACTIVATED, record.ACTIVE)


def _move(call: Call, source: str, target: str) -> None:
    def edit(old: Image) -> Image:
        if old.status not in (source, target):
            raise Forbidden(f'Image {old.id} is {old.status}; it cannot become {target}.', code='bad_status')
        return dataclasses.replace(old, status=target)
    images.change(call.app.db, call.target.id, edit, now())


_ONE = '/images/{image_id}'
RESOURCE = Resource('image data', (
    Op('PUT', f'{_ONE}/file', upload, policy='upload_image', loads=load_image, raw=True, streams=True, status=204),
    Op('GET', f'{_ONE}/file', download, policy='download_image', loads=load_image, streams=True),
    Op('POST', f'{_ONE}/actions/deactivate', deactivate, policy='deactivate', loads=load_image, status=204,
       again=nothing),
    Op('POST', f'{_ONE}/actions/reactivate', reactivate, policy='reactivate', loads=load_image, status=204,
       again=nothing),
))
