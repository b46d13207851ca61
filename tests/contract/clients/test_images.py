"""The Images client: the fake and, over HTTP, the built-in daemon keep the same contract."""

from __future__ import annotations

import functools
import hashlib
import pathlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from compute import exception
from compute.clients.fake.image import FakeImages
from compute.clients.image import Images, RestImages
from compute.context import RequestContext
from compute.objects.image import Image
from tests.api.image.support import Images as Daemon
from tests.api.image.support import make_conf as daemon_conf
from tests.contract.clients.cloud import TinyIdentity, connect, make_conf

MIB = 1024 * 1024


def caller(project: str, roles: str = 'member,reader') -> RequestContext:
    return RequestContext(auth_token=f'ann:{project}:{roles}', user_id='ann', project_id=project,
                          roles=roles.split(','), overwrite=False)


class Bed:
    """A client and the ways in which a user fills its service."""

    def __init__(self, client: Images, add: Callable[..., str], remove: Callable[[str], None]) -> None:
        self.client, self.add, self.remove = client, add, remove


@pytest.fixture(params=['fake', 'rest'])
def bed(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Bed]:
    if request.param == 'fake':
        yield fake_bed()
        return
    daemon = Daemon(daemon_conf(tmp_path))
    conf = make_conf()
    connect(conf, {'identity': TinyIdentity({'image': 'http://image'}), 'image': daemon.wsgi})
    yield Bed(RestImages(conf), functools.partial(add, daemon),
              lambda image_id: daemon('DELETE', f'/v2/images/{image_id}', token='root:p0:admin'))
    daemon.close()


def fake_bed() -> Bed:
    fake = FakeImages()

    def make(data: bytes | None = b'data', owner: str = 'p1', **properties: str) -> str:
        image = Image(id=str(uuid.uuid4()), name='im', owner=owner, disk_format='raw', container_format='bare',
                      properties=properties, min_disk=2, min_ram=64)
        return fake.add(image, data, public=False).id
    return Bed(fake, make, fake.remove)


def add(daemon: Daemon, data: bytes | None = b'data', owner: str = 'p1', **properties: Any) -> str:
    return daemon.make(data=data, token=f'ann:{owner}:member', min_disk=2, min_ram=64, **properties)


def test_shows_an_image_with_its_properties(bed: Bed) -> None:
    image = bed.client.get(caller('p1'), bed.add(b'x' * 1000, hw_disk_bus='virtio'))
    assert (image.name, image.status, image.disk_format, image.owner) == ('im', 'active', 'raw', 'p1')
    assert (image.size, image.virtual_size, image.min_disk, image.min_ram) == (1000, 1000, 2, 64)
    assert image.properties == {'hw_disk_bus': 'virtio'}
    assert image.os_hash_value == hashlib.sha512(b'x' * 1000).hexdigest()
    assert image.checksum == hashlib.md5(b'x' * 1000, usedforsecurity=False).hexdigest()


def test_an_image_without_data_is_shown_and_not_downloaded(bed: Bed) -> None:
    image_id = bed.add(None)
    assert bed.client.get(caller('p1'), image_id).status == 'queued'
    with pytest.raises(exception.Conflict):
        list(bed.client.download(None, image_id))


def test_downloads_in_small_chunks(bed: Bed) -> None:
    data = bytes(range(256)) * 4096 * 3 + b'end'
    chunks = list(bed.client.download(None, bed.add(data)))
    assert b''.join(chunks) == data
    assert len(chunks) > 1 and max(map(len, chunks)) <= MIB


@pytest.mark.parametrize('image_id', ['3b0f8a52-6c1e-4a55-9d3f-0d4c8be0e001', 'cirros', '../images', ''])
def test_what_is_not_there_is_not_found(bed: Bed, image_id: str) -> None:
    with pytest.raises(exception.NotFound):
        bed.client.get(caller('p1'), image_id)
    with pytest.raises(exception.NotFound):
        list(bed.client.download(None, image_id))


def test_a_foreign_image_is_not_found_but_the_service_user_sees_it(bed: Bed) -> None:
    image_id = bed.add(b'mine', owner='p2')
    with pytest.raises(exception.NotFound):
        bed.client.get(caller('p1'), image_id)
    assert bed.client.get(None, image_id).owner == 'p2'


def test_a_deleted_image_is_not_found(bed: Bed) -> None:
    image_id = bed.add()
    bed.remove(image_id)
    with pytest.raises(exception.NotFound):
        bed.client.get(None, image_id)
