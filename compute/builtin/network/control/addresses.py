"""Which port has which address. The row in ``addresses`` is the claim: its key admits one holder.

The network's subnets are locked before a free address is looked for, so that parallel requests queue instead of
colliding; where a database does not lock, the key still refuses the second one, which then takes the next address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from compute.builtin.network.control import addressing
from compute.builtin.network.control.addressing import Address
from compute.builtin.network.control.changes import Work
from compute.builtin.network.db import rows
from compute.builtin.network.db import tables as t
from compute.builtin.network.db.kinds import SUBNET
from compute.builtin.network.db.rows import Row
from compute.exception import Conflict, Invalid

_ATTEMPTS = 64
_OF_NETWORK = sa.select(t.subnets).where(t.subnets.c.network_id == sa.bindparam('network')).order_by(
    t.subnets.c.created_at, t.subnets.c.id)
_USED = sa.select(t.addresses.c.number).where(t.addresses.c.subnet_id == sa.bindparam('subnet')).order_by(
    t.addresses.c.number)
_HIGHEST = sa.select(sa.func.max(t.addresses.c.number)).where(
    t.addresses.c.subnet_id == sa.bindparam('subnet'),
    t.addresses.c.number.between(sa.bindparam('start'), sa.bindparam('end')))


def assign(work: Work, port: Row, requested: Sequence[Mapping[str, str]] | None) -> list[Row]:
    """Give a new port its addresses: those asked for, or one of each IP version where nothing is (None).

    Return them in their order. An empty list asks for none.
    :raises Conflict: none is free, or the one asked for is not. :raises Invalid: not here.
    """
    if requested is not None and not requested:
        return []
    subnets = of_network(work, port['network_id'], lock=requested is None or _seeks(requested))
    if requested is None:
        held = _assign_default(work, port, subnets)
    else:
        held = _give(work, port, [_wanted(work, port, subnets, request) for request in requested], 0)
    return held + _add_automatic(work, port, subnets, held)


def reassign(work: Work, port: Row, requested: Sequence[Mapping[str, str]]) -> bool:
    """Make a port's addresses those asked for, keeping what fits; tell whether anything changed."""
    subnets = of_network(work, port['network_id'], lock=_seeks(requested))
    current = of_port(work, port['id'])
    wanted = [_wanted(work, port, subnets, request) for request in requested]
    kept: list[Row] = []
    fresh: list[tuple[Row, Address | None]] = []
    for subnet, address in wanted:
        found = next((held for held in current if held not in kept and held['subnet_id'] == subnet['id'] and (
            address is None or held['address'] == str(address))), None)
        if found is None:
            fresh.append((subnet, address))
        else:
            kept.append(found)
    automatic = {subnet['id'] for subnet in subnets if addressing.is_automatic(subnet)}
    dropped = [held for held in current if held not in kept and not (requested and held['subnet_id'] in automatic)]
    for held in dropped:
        work.connection.execute(t.addresses.delete().where(
            t.addresses.c.subnet_id == held['subnet_id'], t.addresses.c.number == held['number']))
    added = _give(work, port, fresh, _after(current))
    if requested:
        _add_automatic(work, port, subnets, [held for held in current if held not in dropped] + added)
    return bool(fresh or dropped)


def add_to_all(work: Work, subnet: Row) -> None:
    """Give every port of a network its address in a subnet where guests make theirs themselves."""
    for port in rows.every(work.connection, t.ports, t.ports.c.network_id == subnet['network_id']):
        _add_automatic(work, port, [subnet], of_port(work, port['id']))


def of_network(work: Work, network_id: str, *, lock: bool = False) -> list[Row]:
    """Return the subnets of a network, the oldest first; locked until the end of the transaction if asked."""
    query = _OF_NETWORK.with_for_update() if lock else _OF_NETWORK
    return [dict(row._mapping) for row in work.connection.execute(query, {'network': network_id})]


def of_port(work: Work, port_id: str) -> list[Row]:
    """Return the addresses of a port in their order."""
    return rows.every(work.connection, t.addresses, t.addresses.c.port_id == port_id,
                      order=(t.addresses.c.position, t.addresses.c.number))


def _seeks(requested: Sequence[Mapping[str, str]]) -> bool:
    """Tell whether a free address has to be looked for."""
    return not all(request.get('ip_address') for request in requested)


def _after(held: Iterable[Row]) -> int:
    return max((address['position'] for address in held), default=-1) + 1


def _assign_default(work: Work, port: Row, subnets: Sequence[Row]) -> list[Row]:
    held: list[Row] = []
    for version in (4, 6):
        candidates = [subnet for subnet in subnets
                      if subnet['ip_version'] == version and not addressing.is_automatic(subnet)]
        if not candidates:
            continue
        taken = (_take_any(work, subnet, port['id'], len(held)) for subnet in candidates)
        found = next((address for address in taken if address is not None), None)
        if found is None:
            raise _exhausted(port['network_id'], candidates)
        held.append(found)
    return held


def _exhausted(network_id: str, subnets: Iterable[Row]) -> Conflict:
    listed = ', '.join(f'{subnet["id"]} ({subnet["cidr"]})' for subnet in subnets)
    return Conflict(f'No more IP addresses available on network {network_id}: the pools of {listed} are used up.',
                    details={'type': 'IpAddressGenerationFailure'})


def _wanted(work: Work, port: Row, subnets: Sequence[Row],
            request: Mapping[str, str]) -> tuple[Row, Address | None]:
    """Return the subnet that a request means, and the address if it names one."""
    address = addressing.address_of(request['ip_address']) if request.get('ip_address') else None
    if subnet_id := request.get('subnet_id'):
        subnet = next((one for one in subnets if one['id'] == subnet_id), None)
        if subnet is None:
            rows.get(work.connection, SUBNET, subnet_id)
            raise Invalid(f'fixed_ips: subnet {subnet_id} is not one of network {port["network_id"]}',
                          details={'type': 'InvalidInput'})
        if address is not None and not _is_host(subnet, address):
            raise Invalid(f'IP address {address} is not a valid IP for the specified subnet {subnet["cidr"]}.',
                          details={'type': 'InvalidIpForSubnet'})
    elif address is None:
        raise Invalid('fixed_ips: an entry needs subnet_id or ip_address', details={'type': 'InvalidInput'})
    else:
        subnet = next((one for one in subnets if _is_host(one, address)), None)
        if subnet is None:
            raise Invalid(f'IP address {address} is not a valid IP for any of the subnets on network '
                          f'{port["network_id"]}.', details={'type': 'InvalidIpForNetwork'})
    if addressing.is_automatic(subnet):
        return subnet, _automatic(subnet, port, address)
    return subnet, address


def _is_host(subnet: Row, address: Address) -> bool:
    net = addressing.network_of(subnet['cidr'])
    first, last = addressing.usable(net)
    return address.version == net.version and first <= int(address) <= last


def _automatic(subnet: Row, port: Row, asked: Address | None) -> Address:
    own = addressing.eui64(addressing.network_of(subnet['cidr']), port['mac_address'])
    if asked is not None and asked != own:
        raise Invalid(f'IPv6 address {asked} cannot be given to a port on subnet {subnet["id"]}: guests make their '
                      f'addresses themselves there; this port\'s is {own}.',
                      details={'type': 'AllocationOnAutoAddressSubnet'})
    return own


def _give(work: Work, port: Row, wanted: Iterable[tuple[Row, Address | None]], first: int) -> list[Row]:
    given: list[Row] = []
    for position, (subnet, address) in enumerate(wanted, first):
        if address is None:
            found = _take_any(work, subnet, port['id'], position)
            if found is None:
                raise _exhausted(port['network_id'], [subnet])
        elif str(address) == subnet['gateway_ip']:
            raise _taken(subnet, address)
        else:
            found = _claim(work, subnet, port['id'], address, position)
        given.append(found)
    return given


def _taken(subnet: Row, address: Address) -> Conflict:
    return Conflict(f'IP address {address} already allocated in subnet {subnet["id"]}',
                    details={'type': 'IpAddressAlreadyAllocated'})


def _add_automatic(work: Work, port: Row, subnets: Iterable[Row], held: Sequence[Row]) -> list[Row]:
    """Give a port the addresses that its guest makes itself, where it does not hold them; return the new ones."""
    there = {address['subnet_id'] for address in held}
    wanted = [subnet for subnet in subnets if addressing.is_automatic(subnet) and subnet['id'] not in there]
    return [_claim(work, subnet, port['id'], _automatic(subnet, port, None), position)
            for position, subnet in enumerate(wanted, _after(held))]


def _take_any(work: Work, subnet: Row, port_id: str, position: int) -> Row | None:
    """Take a free address of a subnet that is locked; None when there is none."""
    for _ in range(_ATTEMPTS):
        address = _free(work, subnet)
        if address is None:
            return None
        if (found := _insert(work, subnet, port_id, address, position)) is not None:
            return found
    raise Conflict(f'Subnet {subnet["id"]}: no address could be claimed, others were faster {_ATTEMPTS} times',
                   details={'type': 'IpAddressGenerationFailure'})


def _free(work: Work, subnet: Row) -> Address | None:
    """Return a free address: the one after the highest in use, so that reuse comes late; else the first gap."""
    pools = addressing.spans(subnet['allocation_pools'])
    for start, end in reversed(pools):
        highest = work.connection.execute(_HIGHEST, {'subnet': subnet['id'], 'start': addressing.number(start),
                                                     'end': addressing.number(end)}).scalar()
        if highest is not None and int(highest, 16) < end:
            return addressing.from_number(int(highest, 16) + 1, subnet['ip_version'])
        if highest is not None:
            break
    used = (int(digits, 16) for digits in work.connection.execute(_USED, {'subnet': subnet['id']}).scalars())
    free = addressing.first_free(pools, used)
    return None if free is None else addressing.from_number(free, subnet['ip_version'])


def _claim(work: Work, subnet: Row, port_id: str, address: Address, position: int) -> Row:
    """Take this address. :raises Conflict: another port has it."""
    found = _insert(work, subnet, port_id, address, position)
    if found is None:
        raise _taken(subnet, address)
    return found


def _insert(work: Work, subnet: Row, port_id: str, address: Address, position: int) -> Row | None:
    """Take an address and return its row; None when another port has it."""
    row = {'subnet_id': subnet['id'], 'number': addressing.number(address), 'address': str(address),
           'port_id': port_id, 'position': position}
    try:
        with rows.tried(work.connection):
            work.connection.execute(t.addresses.insert(), row)
    except IntegrityError:
        # Either the address is taken, or the subnet went away; the latter shows here.
        rows.get(work.connection, SUBNET, subnet['id'])
        return None
    return row
