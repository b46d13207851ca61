"""CPU topology: how the vCPUs of a flavor are presented as sockets, cores and threads.

Flavor (``hw:cpu_*``) and image (``hw_cpu_*``) may name wishes (sockets, cores, threads) and limits (max_sockets ...).
An image's wish goes before a flavor's; an image may tighten a flavor's limit but not widen it. Sockets times cores
times threads is always the number of vCPUs; of all products within the limits the one that meets most wishes is taken,
and where nobody wishes anything every vCPU is a socket of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

from compute import exception
from compute.objects.instance import Instance
from compute.virt.hardware import properties
from compute.virt.hardware.properties import Properties

_PARTS = ('sockets', 'cores', 'threads')
_MOST = 65536


@dataclass(frozen=True)
class Topology:
    """Sockets, cores in each, threads in each core."""

    sockets: int
    cores: int = 1
    threads: int = 1


def topology(instance: Instance) -> Topology:
    """Return the topology for an instance.

    :raises Failed: a wish or a limit is no number, the image widens the flavor's limit or wishes for more than it, or
        no product within the limits gives the flavor's vCPUs.
    """
    limits = tuple(_limit(instance, part) for part in _PARTS)
    wishes = tuple(_wish(instance, part, limit) for part, limit in zip(_PARTS, limits, strict=True))
    possible = list(_products(instance.flavor.vcpus, limits))
    if not possible:
        shown = ', '.join(f'{limit} {part}' for part, limit in zip(_PARTS, limits, strict=True))
        text = f'{instance.flavor.vcpus} vCPUs cannot be arranged within at most {shown}'
        raise exception.Failed(text, code='cpu_topology', for_users=text,
                               hint='correct hw:cpu_max_* of the flavor or hw_cpu_max_* of the image')
    return max(possible, key=lambda found: _score(found, wishes))


def _score(found: Topology, wishes: tuple[int | None, ...]) -> tuple[object, ...]:
    met = [wish == got for wish, got in zip(wishes, astuple(found), strict=True)]
    return sum(met), met, found.sockets, found.cores


def _products(vcpus: int, limits: tuple[int, ...]) -> Iterator[Topology]:
    for sockets in range(1, min(vcpus, limits[0]) + 1):
        if vcpus % sockets:
            continue
        per_socket = vcpus // sockets
        for cores in range(1, min(per_socket, limits[1]) + 1):
            if per_socket % cores == 0 and per_socket // cores <= limits[2]:
                yield Topology(sockets, cores, per_socket // cores)


def _limit(instance: Instance, part: str) -> int:
    image, name = properties.of_image(instance), f'hw_cpu_max_{part}'
    allowed = properties.of_flavor(instance).number(f'hw:cpu_max_{part}', 1, _MOST) or _MOST
    return _within(image, name, allowed) or allowed


def _wish(instance: Instance, part: str, limit: int) -> int | None:
    image = _within(properties.of_image(instance), f'hw_cpu_{part}', limit)
    return image or properties.of_flavor(instance).number(f'hw:cpu_{part}', 1, _MOST)


def _within(image: Properties, name: str, limit: int) -> int | None:
    return image.number(name, 1, limit)
