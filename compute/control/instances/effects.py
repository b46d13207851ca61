"""Refuses extra specs and image properties of new servers that would have no effect, such as pinning or encryption."""

from __future__ import annotations

from compute import exception
from compute.control.instances.request import CreateRequest
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.supported_specs import unsupported_properties, unsupported_specs


def check(request: CreateRequest, flavor: Flavor, image: Image | None) -> None:
    """Return if all that is asked for is done. :raises Invalid: names the spec, the property or the field."""
    check_flavor(flavor)
    for name, value in unsupported_properties(image.properties if image is not None else {}):
        raise exception.Invalid(f'Image {image.id if image else ""} has the property {name}={value[:50]}, which is not '
                                'supported yet. Take another image.', code='unsupported_image_property')
    if request.trusted_image_certificates:
        raise exception.Invalid('trusted_image_certificates is not supported yet: signatures of images are not '
                                'verified.', code='unsupported_certificates')


def check_flavor(flavor: Flavor) -> None:
    """Return if all that a flavor asks for is done. :raises Invalid: names the extra spec."""
    for name, value in unsupported_specs(flavor.extra_specs):
        raise exception.Invalid(f'Flavor {flavor.flavorid} has the extra spec {name}={value[:50]}, which is not '
                                'supported yet. Take another flavor.', code='unsupported_extra_spec')
