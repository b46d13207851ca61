"""Operations on all ports of a server, on top of the Networks client.

Any project may write the id of any server into its own ports. A port therefore counts as a server's only if it belongs
to the server's project, or if the server has it already.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Iterable, Sequence

from compute import exception
from compute.clients.network import Networks
from compute.objects.instance import Instance
from compute.objects.network import Port, ServerPort
from compute.objects.nic import Nic, NicRequest

LOG = logging.getLogger(__name__)


def brought(instance: Instance, asked: Iterable[NicRequest] = ()) -> set[str]:
    """Return the ports that the user brought: they are released, not deleted.

    :param asked: the NICs that the creation of the server was asked for.
    """
    given = {nic.port_id for nic in instance.nics if not nic.owned}
    return given | {request.port_id for request in asked if request.port_id}


def counts(port: Port, instance: Instance, more: Collection[str] = ()) -> bool:
    """Return whether a port that names a server as its device is the server's. ``more``: ports that it is to have."""
    return port.project_id == instance.project_id or port.id in more or any(
        nic.port_id == port.id for nic in instance.nics)


def of_server(networks: Networks, instance: Instance) -> list[ServerPort]:
    """Return the ports of a server as they are now, the oldest first.

    :raises Conflict: they changed while they were read.
    """
    found = networks.nics_of([instance.uuid]).get(instance.uuid)
    if found is None:
        raise exception.Conflict(f'The networks of server {instance.uuid} changed while they were read; try again',
                                 code='list_changed')
    return [each for each in found if counts(each.port, instance)]


def current(networks: Networks, instances: Sequence[Instance], soon: bool = False) -> dict[str, tuple[ServerPort, ...]]:
    """Return the ports that servers have, as Network shows them now, by server and in each server's order.

    A port that was deleted or detached is left out. No port is added: only an attachment adds ports. One
    query reads the ports of many servers; a port that it does not show is asked for by itself before it counts as
    lost. A server whose ports cannot be told for certain is missing.

    :param soon: bound each request to seconds.
    """
    with_ports = [instance for instance in instances if instance.nics]
    found = networks.nics_of([instance.uuid for instance in with_ports], soon) if with_ports else {}
    known: dict[str, tuple[ServerPort, ...]] = {
        instance.uuid: () for instance in instances if not instance.nics}
    for instance in with_ports:
        ports = {each.port.id: each for each in found.get(instance.uuid, ())}
        lost = [nic.port_id for nic in instance.nics if nic.port_id not in ports]
        if instance.uuid not in found or not all(_is_lost(networks, port_id, instance.uuid, soon) for port_id in lost):
            LOG.info('the ports of server %s changed while they were read', instance.uuid)
            continue
        known[instance.uuid] = tuple(
            dataclasses.replace(now, nic=with_own_facts(now.nic, nic))
            for nic in instance.nics if (now := ports.get(nic.port_id)) is not None)
    return known


def with_own_facts(now: Nic, known: Nic) -> Nic:
    """Return a NIC with the values of Network and those that only Compute stores."""
    return dataclasses.replace(now, tag=known.tag, owned=known.owned, active=known.active)


def _is_lost(networks: Networks, port_id: str, device_id: str, soon: bool) -> bool:
    try:
        return networks.port(None, port_id, soon).device_id != device_id
    except exception.NotFound:
        return True


def release(networks: Networks, instance: Instance, keep: Collection[str], host: str | None = None,
            sure: Callable[[], None] = lambda: None) -> None:
    """Unbind the ports of a server that a user brought, and delete those that Compute made. Safe to repeat.

    :param keep: ports that the user brought. :param host: only ports that are bound there; the server may be another
        host's by now. :param sure: called before each change; it raises if the caller must no longer act on the server.
    """
    own = {nic.port_id for nic in instance.nics}
    for port in networks.ports_of(instance.uuid):
        if not counts(port, instance, keep) or host not in (None, port.host):
            continue
        sure()
        if port.id not in keep and (port.owned or port.id in own):
            networks.delete_port(None, port.id)
        else:
            networks.unbind_port(None, port.id)
