"""A server's addresses, by network."""

from __future__ import annotations

from typing import Any

from compute.api.changes.servers import plain
from compute.api.servers.load import load
from compute.api.servers.view import addresses
from compute.exception import NotFound
from compute.policies import ips as policy
from compute.rest.call import Call
from compute.rest.op import Op, Resource


def index(call: Call) -> Any:
    """Show the addresses in all networks."""
    return {'addresses': plain(addresses(call.target))}


def show(call: Call) -> Any:
    """Show the addresses in one network. :raises NotFound: the server is not in it."""
    label = call.path['label']
    found = plain(addresses(call.target))
    if label not in found:
        raise NotFound(f'Instance {call.target.uuid} is not a member of network {label!r}')
    return {label: found[label]}


RESOURCE = Resource('server-ips', (
    Op('GET', '/servers/{server_id}/ips', index, policy=policy.INDEX, loads=load),
    Op('GET', '/servers/{server_id}/ips/{label}', show, policy=policy.SHOW, loads=load),
))
