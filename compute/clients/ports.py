"""What is done with all ports of a server at once, on top of the Networks client."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from compute.clients.network import Networks
from compute.objects.instance import Instance


def brought(instance: Instance, create_args: dict[str, Any] | None = None) -> set[str]:
    """Return the ports that the user brought: they are given back, not deleted."""
    given = {nic.port_id for nic in instance.nics if not nic.owned}
    asked = {nic['port_id'] for nic in (create_args or {}).get('nics', ()) if nic.get('port_id')}
    return given | asked


def release(networks: Networks, device_id: str, keep: Collection[str], host: str | None = None) -> None:
    """Unbind the ports in ``keep`` and delete every other port of a server. Safe to repeat.

    :param host: only ports that are bound there; the server may be another host's by now.
    """
    for port_id in networks.ports_of(None, device_id, host):
        if port_id in keep:
            networks.unbind_port(None, port_id)
        else:
            networks.delete_port(None, port_id)
