"""Address translation on the way out: in the namespace to the link's address, on the host to the host's own.

Twice, because networks may have the same addresses: only the namespace can tell its guests' connections apart.
Floating addresses get their place in the namespace's table.
"""

from __future__ import annotations

import ipaddress

from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux.nft import Json, Table, match, meta, payload
from compute.builtin.network.agent.linux.settings import Settings
from compute.objects.wiring import NetworkWiring

NAME = 'cnet_nat'
MASQUERADE: Json = {'masquerade': None}


def host_table(networks: list[NetworkWiring], settings: Settings) -> Table:
    """Return the host's table; without NAT it is empty."""
    made = Table('ip', NAME)
    # Packets that a bridge carries pass here too, among them the host's own to its guests.
    made.set('within', 'ifname', [name(network.id) for network in networks for name in (names.uplink, names.bridge)])
    made.chain('outgoing', type='nat', hook='postrouting', prio=100)
    links = ipaddress.IPv4Network(settings.link_range)
    source = match(payload('ip', 'saddr'), {'prefix': {'addr': str(links.network_address), 'len': links.prefixlen}})
    if settings.nat:
        made.rule('outgoing', source, match(meta('oifname'), '@within', '!='), MASQUERADE)
    return made


def namespace_table(settings: Settings) -> Table:
    """Return the table of a network's namespace."""
    made = Table('ip', NAME)
    made.chain('outgoing', type='nat', hook='postrouting', prio=100)
    if settings.nat:
        made.rule('outgoing', match(meta('oifname'), names.UPLINK), MASQUERADE)
    return made
