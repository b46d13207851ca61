"""How servers were shown before."""

from __future__ import annotations

from typing import Any


class EmbeddedFlavor(dict[str, Any]):
    """The flavor inside a server as 2.47 shows it; what older versions show instead is beside its items."""

    def __init__(self, items: dict[str, Any], flavorid: str, links: list[dict[str, str]]) -> None:
        super().__init__(items)
        self.flavorid, self.links = flavorid, links


def image_had_no_properties(server: dict[str, Any]) -> dict[str, Any]:
    """2.98 shows the image's properties with the server."""
    image = server['image']
    if not isinstance(image, dict) or 'properties' not in image:
        return server
    return {**server, 'image': {key: value for key, value in image.items() if key != 'properties'}}


def hostname_was_for_admins(server: dict[str, Any]) -> dict[str, Any]:
    """2.90 shows the host name to everybody; before, it came with the other attributes for administrators."""
    if 'OS-EXT-SRV-ATTR:instance_name' in server:
        return server
    return {key: value for key, value in server.items() if key != 'OS-EXT-SRV-ATTR:hostname'}


def flavor_was_a_link(server: dict[str, Any]) -> dict[str, Any]:
    """2.47 embeds the flavor as it was at the boot; before, its id and link were shown."""
    flavor = server['flavor']
    return {**server, 'flavor': {'id': flavor.flavorid, 'links': flavor.links}}


def plain(addresses: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return addresses with nothing but address and version."""
    return {label: [{'version': each['version'], 'addr': each['addr']} for each in items]
            for label, items in addresses.items()}


def plain_addresses(server: dict[str, Any]) -> dict[str, Any]:
    """2.75 answers updates with extended addresses; before, they held address and version only."""
    return {**server, 'addresses': plain(server['addresses'])}


CHANGES = (('2.47', flavor_was_a_link), ('2.90', hostname_was_for_admins), ('2.98', image_had_no_properties))
