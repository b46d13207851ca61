"""From a server to what the driver needs: its NICs as they are now, and the documents of its config drive."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from compute.objects import guest_documents
from compute.objects.instance import Instance
from compute.objects.nic import Nic
from compute.virt.driver import Guest

GroupNames = Callable[[Iterable[str]], Mapping[str, str]]
"""Returns the names of security groups by id; one that is not known is missing."""


def guest_of(options: Any, instance: Instance, nics: tuple[Nic, ...], group_names: GroupNames,
             admin_pass: str | None = None, files: tuple[str, ...] = ()) -> Guest:
    """Return the driver's value. The config drive is there if the user, the image or the host's option asks for it, or
    files are to be put into the guest.

    :param files: contents, in base64, of the files at ``instance.file_paths``.
    """
    drive = None
    if wants_config_drive(options, instance):
        names = group_names({key for nic in nics for key in nic.security_groups})
        drive = guest_documents.tree(instance, nics, names, admin_pass=admin_pass, files=files)
    return Guest(instance=instance, nics=nics, config_drive=drive)


def unnamed(ids: Iterable[str]) -> Mapping[str, str]:
    """Return no group names, for hosts without a network service."""
    return {}


def wants_config_drive(options: Any, instance: Instance) -> bool:
    """Tell whether a server gets a config drive."""
    mandatory = instance.image is not None and instance.image.properties.get('img_config_drive') == 'mandatory'
    return bool(instance.config_drive or mandatory or options.force_config_drive or instance.file_paths)
