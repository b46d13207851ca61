"""Addresses that users choose for new servers: each must lie in a subnet of its network and be free."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from compute import exception
from compute.context import RequestContext
from compute.control.cloud import Cloud
from compute.objects.nic import NicRequest, Subnet


def check(cloud: Cloud, context: RequestContext, wanted: Sequence[NicRequest]) -> None:
    """Return if the addresses asked for can be given.

    They may be deleted before the port is created; then the server goes to ERROR with the same code.
    :raises Invalid: an address is outside of the network's subnets, in use, or asked for twice.
    """
    asked: set[tuple[str, str]] = set()
    for nic in wanted:
        if not nic.fixed_ip or nic.port_id or not nic.network_id:
            continue
        address = str(ipaddress.ip_address(nic.fixed_ip))
        if (nic.network_id, address) in asked:
            raise exception.Invalid(f'networks asks for fixed_ip {address} of network {nic.network_id} twice.',
                                    code='ip_address_in_use')
        asked.add((nic.network_id, address))
        _in_subnet(nic.network_id, address, cloud.networks.subnets(context, nic.network_id))
        _is_free(cloud, context, nic.network_id, address)


def _in_subnet(network_id: str, text: str, subnets: Sequence[Subnet]) -> None:
    address = ipaddress.ip_address(text)
    same = [subnet for subnet in subnets if subnet.version == address.version]
    if not same:
        raise exception.Invalid(f'fixed_ip {text} is an IPv{address.version} address and network {network_id} has no '
                                f'such subnet; its subnets are {_named(subnets)}.', code='invalid_ip_for_network')
    subnet = next((each for each in same if address in ipaddress.ip_network(each.cidr)), None)
    if subnet is None:
        raise exception.Invalid(f'fixed_ip {text} is in no subnet of network {network_id}; its subnets are '
                                f'{_named(subnets)}.', code='invalid_ip_for_network')
    net = ipaddress.ip_network(subnet.cidr)
    reserved = (net.network_address, *([net.broadcast_address] if net.version == 4 else ()))
    if net.num_addresses > 2 and address in reserved:
        raise exception.Invalid(f'fixed_ip {text} is the network or broadcast address of subnet {subnet.id} '
                                f'({subnet.cidr}).', code='invalid_ip_for_network')
    if subnet.gateway is not None and address == ipaddress.ip_address(subnet.gateway):
        raise exception.Invalid(f'fixed_ip {text} is the gateway of subnet {subnet.id} ({subnet.cidr}).',
                                code='ip_address_in_use')


def _is_free(cloud: Cloud, context: RequestContext, network_id: str, address: str) -> None:
    holder = cloud.networks.holder(network_id, address)
    if holder is None:
        return
    # What other projects have on a shared network is not for the caller.
    who = ''
    if context.is_admin or holder.project_id == context.project_id:
        who = f' by port {holder.id}' + (f' of {holder.device_id}' if holder.device_id else '')
    raise exception.Invalid(f'fixed_ip {address} of network {network_id} is already in use{who}.',
                            code='ip_address_in_use')


def _named(subnets: Iterable[Subnet]) -> str:
    return ', '.join(f'{subnet.cidr} ({subnet.id})' for subnet in subnets) or 'none'
