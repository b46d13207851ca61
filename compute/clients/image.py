"""The Image service (Glance v2, built-in or real) as the core sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Protocol

import requests
from oslo_config import cfg

from compute import exception
from compute.clients.session import Neighbour
from compute.context import RequestContext
from compute.objects.image import Image

CHUNK = 1024 * 1024
_ATTRIBUTES = frozenset((
    'id', 'name', 'status', 'visibility', 'protected', 'os_hidden', 'owner', 'size', 'virtual_size', 'checksum',
    'os_hash_algo', 'os_hash_value', 'min_disk', 'min_ram', 'disk_format', 'container_format', 'created_at',
    'updated_at', 'tags', 'self', 'file', 'schema', 'locations', 'direct_url', 'stores'))
_INTERNAL = ('owner_specified.', 'os_glance_')
_ID = re.compile(r'[0-9A-Za-z._-]{1,255}')


class Images(Protocol):
    """Every method may block. ``context`` None means the service user.

    :raises NotFound: no such image, or not for this caller. :raises Unavailable: the service does not answer.
    """

    def get(self, context: RequestContext | None, image_id: str) -> Image:
        """Return an image, whatever its status."""

    def download(self, context: RequestContext | None, image_id: str) -> Iterator[bytes]:
        """Yield the data in chunks of at most 1 MiB; nothing is asked before the first ``next``.

        A connection that breaks is taken up again where it broke. Length and digest are for the caller to check.
        :raises Conflict: the image has no data yet. :raises Forbidden: the image is deactivated.
        """


class RestImages:
    """Over HTTP."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._service = Neighbour(conf, 'image', '/v2')
        self._retries = conf.service_user.retries

    def get(self, context: RequestContext | None, image_id: str) -> Image:
        """Return an image."""
        return image_of(self._service.json('GET', _path(image_id), context=context))

    def download(self, context: RequestContext | None, image_id: str) -> Iterator[bytes]:
        """Yield the data."""
        position, failures = 0, 0
        while True:
            response = self._open(context, image_id, position)
            if response is None:
                return
            begin = position
            try:
                with response:
                    for chunk in _from(response, position):
                        position += len(chunk)
                        yield chunk
                return
            except requests.RequestException as error:
                failures = 0 if position > begin else failures + 1
                if failures > self._retries:
                    raise exception.Unavailable(f'The data of image {image_id} broke off after {position} bytes: '
                                                f'{error}', code='image_unavailable') from error

    def _open(self, context: RequestContext | None, image_id: str, position: int) -> requests.Response | None:
        headers = {'Accept': 'application/octet-stream', 'Accept-Encoding': 'identity'}
        if position:
            headers['Range'] = f'bytes={position}-'
        try:
            response = self._service.request('GET', f'{_path(image_id)}/file', context=context, headers=headers,
                                             stream=True)
        except exception.Invalid as error:
            if position and error.details.get('status') == 416:
                return None  # it broke off after its last byte
            raise
        if response.status_code == 204:
            response.close()
            raise exception.Conflict(f'Image {image_id} has no data', code='image_not_active')
        return response


def _from(response: requests.Response, position: int) -> Iterator[bytes]:
    """Yield what comes from ``position`` on, also where the service sends everything again."""
    skip = position if position and response.status_code != 206 else 0
    for chunk in response.iter_content(CHUNK):
        if skip >= len(chunk):
            skip -= len(chunk)
        else:
            yield chunk[skip:]
            skip = 0


def _path(image_id: str) -> str:
    if not _ID.fullmatch(image_id):
        raise exception.NotFound(f'Image {image_id} could not be found.', code='image_not_found')
    return f'/images/{image_id}'


def image_of(found: dict[str, Any]) -> Image:
    """Return the value of an image's JSON; ``properties`` are the additional ones, without clients' bookkeeping."""
    properties = {name: str(value) for name, value in found.items()
                  if name not in _ATTRIBUTES and value is not None and not name.startswith(_INTERNAL)}
    return Image(id=found['id'], name=found.get('name') or '', status=found['status'],
                 disk_format=found.get('disk_format'), container_format=found.get('container_format'),
                 size=found.get('size'), virtual_size=found.get('virtual_size'), min_disk=found.get('min_disk') or 0,
                 min_ram=found.get('min_ram') or 0, checksum=found.get('checksum'),
                 os_hash_algo=found.get('os_hash_algo'), os_hash_value=found.get('os_hash_value'),
                 owner=found.get('owner'), properties=properties)
