"""Values that the driver tests need: configuration, instances, images and their data."""

from __future__ import annotations

import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterator

from oslo_config import cfg

from compute.conf import register
from compute.objects.flavor import Flavor
from compute.objects.image import Image, ImageData
from compute.objects.instance import Instance
from compute.virt.driver import Guest

_numbers = itertools.count(0x7e570000)


def make_conf(**overrides: dict[str, object]) -> cfg.ConfigOpts:
    """Return a configuration with all defaults; ``overrides`` maps a group to its values."""
    conf = cfg.ConfigOpts()
    register(conf)
    conf([], default_config_files=[], default_config_dirs=[])
    for group, values in overrides.items():
        for name, value in values.items():
            conf.set_override(name, value, group=group)
    return conf


def make_image(data: bytes, disk_format: str = 'raw', **values: object) -> Image:
    """Return an image that tells the truth about ``data``."""
    told: dict[str, object] = {
        'id': str(uuid.uuid4()), 'name': 'test', 'disk_format': disk_format, 'container_format': 'bare',
        'size': len(data), 'os_hash_algo': 'sha512', 'os_hash_value': hashlib.sha512(data).hexdigest(),
        'checksum': hashlib.md5(data, usedforsecurity=False).hexdigest()}
    return Image(**{**told, **values})  # type: ignore[arg-type]


def make_part(data: bytes, disk_format: str) -> ImageData:
    """Return a kernel or RAM disk that an image names."""
    return make_image(data, disk_format, container_format=disk_format).data()


def make_flavor(**values: object) -> Flavor:
    """Return a tiny flavor."""
    told: dict[str, object] = {'flavorid': '1', 'name': 'm1.test', 'vcpus': 1, 'memory_mb': 64, 'root_gb': 1}
    return Flavor(**{**told, **values})  # type: ignore[arg-type]


def make_instance(image: Image | None = None, **values: object) -> Instance:
    """Return an instance of a tiny flavor; values of the flavor may be given as ``flavor={...}``."""
    flavor = values.pop('flavor', {})
    told: dict[str, object] = {
        'id': next(_numbers), 'uuid': str(uuid.uuid4()), 'project_id': 'p1', 'user_id': 'u1', 'name': 'test server',
        'hostname': 'test-server', 'image': image, 'flavor': make_flavor(**flavor)}  # type: ignore[arg-type]
    return Instance(**{**told, **values})  # type: ignore[arg-type]


def make_guest(image: Image | None = None, **values: object) -> Guest:
    """Return a guest without network interfaces."""
    return Guest(instance=make_instance(image, **values))


class Source:
    """An image service: counts how often data was opened. ``others`` is the data of all but one image, by id."""

    def __init__(self, data: bytes, chunk: int = 65536, before: Callable[[], object] | None = None,
                 others: dict[str, bytes] | None = None) -> None:
        self.data, self.opened = data, 0
        self._chunk, self._before, self._others = chunk, before, others or {}

    def __call__(self, image_id: str) -> Iterator[bytes]:
        self.opened += 1
        if self._before is not None:
            self._before()
        data = self._others.get(image_id, self.data)
        for start in range(0, len(data), self._chunk):
            yield data[start:start + self._chunk]
