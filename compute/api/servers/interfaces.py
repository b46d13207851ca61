"""The ports of a server as they are now (os-interface)."""

from __future__ import annotations

from typing import Any

from compute.api.servers.load import load
from compute.clients import ports
from compute.exception import NotFound
from compute.objects.nic import Nic
from compute.policies import attach_interfaces as policy
from compute.rest.call import Call
from compute.rest.fields import Since, fields
from compute.rest.op import Op, Resource, View

_PORT = fields(tag=Since('2.70', {}))


def index(call: Call) -> Any:
    """List the ports."""
    return {'interfaceAttachments': [_view(call, nic) for nic in _nics(call)]}


def show(call: Call) -> Any:
    """Show one port. :raises NotFound: it is none of the server's."""
    for nic in _nics(call):
        if nic.port_id == call.path['port_id']:
            return {'interfaceAttachment': _view(call, nic)}
    raise NotFound(f'Port {call.path["port_id"]} is not attached to instance {call.target.uuid}.')


def _nics(call: Call) -> list[Nic]:
    return [each.nic for each in ports.of_server(call.app.networks, call.target)]


def _view(call: Call, nic: Nic) -> dict[str, Any]:
    tags = {each.port_id: each.tag for each in call.target.nics}
    return {'net_id': nic.network_id, 'port_id': nic.port_id, 'mac_addr': nic.mac,
            'port_state': 'ACTIVE' if nic.active else 'DOWN', 'tag': tags.get(nic.port_id),
            'fixed_ips': [{'subnet_id': ip.subnet_id, 'ip_address': ip.address} for ip in nic.fixed_ips]}


_PATH = '/servers/{server_id}/os-interface'

RESOURCE = Resource('server-interfaces', (
    Op('GET', _PATH, index, policy=policy.LIST, loads=load, view=View('interfaceAttachments', _PORT, many=True)),
    Op('GET', _PATH + '/{port_id}', show, policy=policy.SHOW, loads=load, view=View('interfaceAttachment', _PORT)),
))
