"""Makes the interfaces of a plan: bridge, taps, the namespace and its two links, routes on the host.

Runs in the helper process only. Each function may be called again at any time and changes only what differs.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Iterable

from pyroute2 import IPRoute

from compute import exception
from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux import namespaces
from compute.builtin.network.agent.linux.addresses import Route, ensure_addresses, ensure_routes, routes
from compute.builtin.network.agent.linux.links import Link, Links, set_sysctl
from compute.builtin.network.agent.linux.plan import Plan
from compute.builtin.network.agent.linux.settings import Settings

LOG = logging.getLogger(__name__)
BRIDGE_ROLE, GATEWAY_ROLE, INSIDE_ROLE = 1, 2, 3


def ensure_network(links: Links, plan: Plan, changes: list[str]) -> Link:
    """Make a network's bridge and its namespace with both links; return the bridge.

    :raises exception.Conflict: when a name is taken by something that is not ours.
    """
    alias = names.alias(plan.network_id)
    bridge = _ensure_bridge(links, plan, alias)
    if namespaces.ensure(plan.namespace):
        changes.append(f'namespace {plan.namespace} made')
    _ensure_pair(links, plan, plan.gateway, names.INSIDE, alias)
    links.settle(plan.gateway, alias=alias, mac=names.derived_mac(plan.network_id, GATEWAY_ROLE), mtu=plan.mtu,
                 master=bridge.index)
    _ensure_pair(links, plan, plan.uplink, names.UPLINK, alias)
    uplink = links.settle(plan.uplink, alias=alias)
    ensure_addresses(links.ipr, uplink.index, plan.uplink, [f'{plan.host_address}/31'], changes)
    namespaces.run_in(plan.namespace, _settle_inside, plan, changes)
    return bridge


def ensure_taps(links: Links, plan: Plan, bridge: Link, settings: Settings) -> dict[str, str]:
    """Make a network's taps and remove those of ports that went; return why each port that failed did."""
    wanted = {tap.name for tap in plan.taps}
    for link in links:
        if link.owner is not None and link.owner[0] == plan.network_id and link.owner[1] and link.name not in wanted:
            links.remove(link.name)
    failed = {}
    for tap in plan.taps:
        alias = names.alias(plan.network_id, tap.port_id)
        try:
            if links.ours(tap.name, 'tun', alias) is None:
                links.add_tap(tap.name, settings.tap_owner, settings.tap_group)
                _without_ipv6(tap.name)
            links.settle(tap.name, alias=alias, mac=tap.mac, mtu=plan.mtu, master=bridge.index, up=tap.up)
        except exception.ComputeError as error:
            failed[tap.port_id] = error.message
        except Exception as error:
            LOG.warning('tap %s', tap.name, exc_info=True)
            failed[tap.port_id] = f'tap {tap.name}: {error}'
    return failed


def remove_network(links: Links, network_id: str, changes: list[str]) -> None:
    """Remove everything of a network that is an interface or a namespace."""
    for link in links:
        if link.owner is not None and link.owner[0] == network_id:
            links.remove(link.name)
    if namespaces.remove(names.namespace(network_id)):
        changes.append(f'namespace {names.namespace(network_id)} removed')


def ensure_host_routes(links: Links, plans: Iterable[Plan], enabled: bool, changes: list[str]) -> list[str]:
    """Route from the host to each network that overlaps nothing; return in words which ones do."""
    others = [ipaddress.ip_network(route.prefix) for route, ours in routes(links.ipr)
              if not ours and ':' not in route.prefix and not route.prefix.endswith('/0')
              and not _is_uplink(links, route.interface)]
    wanted: list[Route] = []
    taken: list[tuple[ipaddress.IPv4Network, str]] = []
    problems = []
    for plan in sorted(plans, key=lambda plan: plan.index) if enabled else ():
        link = links.get(plan.uplink)
        for cidr in plan.cidrs if link is not None else ():
            prefix = ipaddress.IPv4Network(cidr)
            rival = next((f'network {owner}' for other, owner in taken if other.overlaps(prefix)), None) or next(
                (f'this host\'s route to {other}' for other in others if other.overlaps(prefix)), None)
            if rival:
                problems.append(f'{cidr} of network {plan.network_id} overlaps {rival}: '
                                'its guests cannot be reached from this host')
                continue
            taken.append((prefix, plan.network_id))
            assert link is not None
            wanted.append(Route(cidr, link.index, plan.namespace_address, plan.host_address))
    ensure_routes(links.ipr, wanted, 'host', changes)
    return problems


def _is_uplink(links: Links, interface: int) -> bool:
    return any(link.index == interface and link.owner is not None for link in links)


def _ensure_bridge(links: Links, plan: Plan, alias: str) -> Link:
    if links.ours(plan.bridge, 'bridge', alias) is None:
        links.add(plan.bridge, kind='bridge', br_forward_delay=0, br_mcast_snooping=0, br_nf_call_iptables=1,
                  br_nf_call_ip6tables=1, address=names.derived_mac(plan.network_id, BRIDGE_ROLE), mtu=plan.mtu)
        _without_ipv6(plan.bridge)
    links.filter(plan.bridge)
    return links.settle(plan.bridge, alias=alias, mac=names.derived_mac(plan.network_id, BRIDGE_ROLE), mtu=plan.mtu)


def _ensure_pair(links: Links, plan: Plan, outside: str, inside: str, alias: str) -> None:
    there = namespaces.run_in(plan.namespace, _has, inside)
    if links.ours(outside, 'veth', alias) is not None:
        if there:
            return
        # Its other end went with a namespace that is no more.
        links.remove(outside)
    elif there:
        namespaces.run_in(plan.namespace, _delete, inside)
    links.add(outside, kind='veth', peer={'ifname': inside, 'net_ns_fd': plan.namespace})
    _without_ipv6(outside)


def _has(name: str) -> bool:
    with IPRoute() as ipr:
        return bool(ipr.link_lookup(ifname=name))


def _delete(name: str) -> None:
    with IPRoute() as ipr:
        for index in ipr.link_lookup(ifname=name):
            ipr.link('del', index=index)


def _settle_inside(plan: Plan, changes: list[str]) -> None:
    made: list[str] = []
    with IPRoute() as ipr:
        links = Links(ipr, made)
        for path, value in (('ipv4/ip_forward', '1'), ('ipv6/conf/all/forwarding', '1')):
            if set_sysctl(path, value):
                made.append(f'{path} set')
        links.settle('lo')
        inside = links.settle(names.INSIDE, mac=names.derived_mac(plan.network_id, INSIDE_ROLE), mtu=plan.mtu)
        up = links.settle(names.UPLINK)
        ensure_addresses(ipr, inside.index, names.INSIDE, plan.addresses, made)
        ensure_addresses(ipr, up.index, names.UPLINK, [f'{plan.namespace_address}/31'], made)
        wanted = [Route(prefix, inside.index) for prefix in plan.onlink]
        wanted.append(Route('0.0.0.0/0', up.index, plan.host_address))
        ensure_routes(ipr, wanted, 'inside', made)
    changes += [f'{plan.namespace}: {change}' for change in made]


def _without_ipv6(name: str) -> None:
    # The host itself must not be a member of its guests' networks.
    set_sysctl(f'ipv6/conf/{name}/disable_ipv6', '1')
