"""Downloads that break off: taken up again where they broke, given up when nothing comes, never wrong."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from compute import exception
from compute.clients import session as session_module
from compute.clients.image import RestImages
from tests.contract.clients.cloud import TinyIdentity, WsgiAdapter, connect, make_conf

DATA = bytes(range(256)) * 20000
ID = '11111111-2222-3333-4444-555555555555'


class Answer(requests.Response):
    """Data that breaks off after ``good`` bytes."""

    def __init__(self, status: int, data: bytes, good: int) -> None:
        super().__init__()
        self.status_code, self._data, self._good = status, data, good

    def iter_content(self, chunk_size: int | None = 1, decode_unicode: bool = False) -> Iterator[Any]:
        for start in range(0, min(self._good, len(self._data)), 100000):
            yield self._data[start:min(start + 100000, self._good)]
        if self._good < len(self._data):
            raise requests.exceptions.ChunkedEncodingError('broken')

    def close(self) -> None:
        """Nothing is open."""


class Breaking(WsgiAdapter):
    """Breaks each answer off after the next number of bytes. ``ranges``: whether it honours Range."""

    def __init__(self, adapter: WsgiAdapter, breaks: list[int], ranges: bool) -> None:
        super().__init__(adapter.applications)
        self._breaks, self._ranges = breaks, ranges

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        if not str(request.url).endswith('/file'):
            return super().send(request, **kwargs)
        self.log.append(request)
        asked = request.headers.get('Range')
        start = int(asked.removeprefix('bytes=').rstrip('-')) if asked and self._ranges else 0
        good = self._breaks.pop(0) if self._breaks else len(DATA)
        return Answer(206 if start else 200, DATA[start:], good)


def images(breaks: list[int], ranges: bool = True) -> tuple[RestImages, Breaking]:
    conf = make_conf(retries=1)
    adapter = connect(conf, {'identity': TinyIdentity({'image': 'http://image/v2'})})
    breaking = Breaking(adapter, breaks, ranges)
    session_module.connection(conf)._pool.mount('http://', breaking)
    return RestImages(conf), breaking


@pytest.mark.parametrize('ranges', [True, False])
@pytest.mark.parametrize('breaks', [[], [1000], [1000, 2000000, 999999], [0, 5], [len(DATA) - 1]])
def test_what_comes_is_the_whole_however_often_it_breaks(breaks: list[int], ranges: bool) -> None:
    tried = len(breaks)
    client, adapter = images(breaks, ranges)
    assert b''.join(client.download(None, ID)) == DATA
    assert len([request for request in adapter.log if str(request.url).endswith('/file')]) == tried + 1


def test_it_is_given_up_when_nothing_comes_any_more() -> None:
    client, _ = images([500, 0, 0])
    with pytest.raises(exception.Unavailable, match='broke off after 500 bytes'):
        list(client.download(None, ID))


def test_nothing_is_asked_before_the_first_byte_is_wanted() -> None:
    client, adapter = images([])
    client.download(None, ID)
    assert adapter.log == []
