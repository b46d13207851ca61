"""Whether servers can boot from an image, and the kernel and RAM disk that it names.

Hosts look at the data itself; what the image service says of it is enough to refuse here what no host would take.
"""

from __future__ import annotations

import dataclasses

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.disk_format import BOOTABLE, CONTAINERS, KERNEL_PARTS
from compute.objects.image import Image, ImageData


def complete(cloud: Cloud, context: RequestContext, image: Image) -> Image:
    """Return the image with its kernel and RAM disk, if it names such.

    :raises Invalid: no server can boot from it, or a part is not there for this caller, not active, or no such part.
    """
    _check_format(image, f'imageRef {image.id}', BOOTABLE)
    kernel_id, ramdisk_id = image.properties.get('kernel_id'), image.properties.get('ramdisk_id')
    if ramdisk_id and not kernel_id:
        raise exception.Invalid(f'imageRef {image.id}: it has a ramdisk_id and no kernel_id; a RAM disk is used only '
                                'with a kernel.', code='kernel_missing')
    if not kernel_id:
        return image
    return dataclasses.replace(
        image, kernel=_part(cloud, context, image, 'kernel_id', kernel_id),
        ramdisk=_part(cloud, context, image, 'ramdisk_id', ramdisk_id) if ramdisk_id else None)


def _part(cloud: Cloud, context: RequestContext, image: Image, name: str, part_id: str) -> ImageData:
    where = f'imageRef {image.id}: {name} {part_id}'
    try:
        part: Image = cloud.recent.get(context, ('image', part_id), lambda: cloud.images.get(context, part_id),
                                       lambda found: found.status == 'active')
    except exception.NotFound:
        raise exception.Invalid(f'{where}: image could not be found.', code='image_not_found') from None
    if part.status != 'active':
        raise exception.Invalid(f'{where}: the image is {part.status}, it must be active.', code='image_not_active')
    _check_format(part, where, KERNEL_PARTS)
    return part.data()


def _check_format(image: Image, where: str, formats: tuple[str, ...]) -> None:
    if image.disk_format not in formats:
        raise exception.Invalid(f'{where}: the disk_format is {image.disk_format}, it must be one of '
                                f'{", ".join(formats)}.', code='image_format')
    if image.container_format not in (None, *CONTAINERS):
        raise exception.Invalid(f'{where}: the container_format is {image.container_format}, it must be one of '
                                f'{", ".join(CONTAINERS)}.', code='image_format')
