"""Resize a server to another flavor. Its disks grow or stay; they never shrink."""

from __future__ import annotations

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.control.instances import checks, effects
from compute.control.instances.moving import move
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.kinds.resize import RESIZE
from compute.objects.migration import RESIZE as TYPE
from compute.objects.operation import Operation


def resize(cloud: Cloud, context: RequestContext, instance: Instance, flavor_id: str) -> Operation:
    """Begin to resize a server.

    :raises Invalid: the flavor is not there for the caller, is the server's already, has smaller disks or too little
        memory for the image, or asks for what is not supported. :raises Conflict: the state does not allow it.
    :raises OverQuota: the larger flavor does not fit.
    """
    flavor = checks.flavor_of(cloud, context, flavor_id)
    if flavor.flavorid == instance.flavor.flavorid:
        raise exception.Invalid(f'Server {instance.uuid} has flavor {flavor.flavorid} already; a resize needs another '
                                'one.', code='same_flavor')
    _disks_fit(instance.flavor, flavor)
    if instance.image is not None and flavor.memory_mb < instance.image.min_ram:
        raise exception.Invalid(f"Flavor's memory is too small for the image of the server: {flavor.name} has "
                                f'{flavor.memory_mb} MB, image {instance.image.id} needs {instance.image.min_ram} MB.',
                                code='flavor_memory_too_small')
    effects.check_flavor(flavor)
    return move(cloud, context, instance, RESIZE, flavor, TYPE)


def _disks_fit(old: Flavor, new: Flavor) -> None:
    """Return if no disk would shrink. :raises Invalid: names both sizes."""
    for name, has, gets in (('root disk', old.root_gb, new.root_gb),
                            ('ephemeral disk', old.ephemeral_gb, new.ephemeral_gb)):
        if gets < has:
            raise exception.Invalid(f'Resize to flavor {new.name} would shrink the {name} from {has} GB to {gets} GB; '
                                    'disks can only grow.', code='disk_would_shrink')
