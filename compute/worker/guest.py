"""From a server to what the driver needs: its NICs as they are now, and the documents of its config drive."""

from __future__ import annotations

from typing import Any

from compute.objects import guest_documents
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.virt.driver import Guest


def guest_of(options: Any, instance: Instance, nics: tuple[Nic, ...], admin_pass: str | None = None) -> Guest:
    """Return the driver's value. The config drive is there if the user, the image or the host's option asks for it."""
    drive = None
    if wants_config_drive(options, instance):
        drive = guest_documents.tree(instance, nics, admin_pass=admin_pass)
    return Guest(instance=instance, nics=nics, config_drive=drive)


def wants_config_drive(options: Any, instance: Instance) -> bool:
    """Tell whether a server gets a config drive."""
    mandatory = instance.image is not None and instance.image.properties.get('img_config_drive') == 'mandatory'
    return bool(instance.config_drive or mandatory or options.force_config_drive)
