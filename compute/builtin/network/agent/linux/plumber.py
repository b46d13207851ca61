"""Puts the Linux parts together: interfaces, packet filter, DHCP, for all networks of this host.

Runs in the helper process, one call at a time. The order matters: a port's filter is there before its tap can carry
anything, and what a guest asks first (DHCP) is there before its port is called wired. A network that fails does
not keep the others from being made.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pyroute2 import IPRoute

from compute import exception
from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux import filtering, nat, nft, plan, spoofing, wires
from compute.builtin.network.agent.linux.dhcp import Dhcp
from compute.builtin.network.agent.linux.indexes import Indexes
from compute.builtin.network.agent.linux.links import Links, set_sysctl
from compute.builtin.network.agent.linux.settings import Settings
from compute.builtin.network.agent.plumbing import Outcome, refusal
from compute.objects.residue import Wire
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)
AT_ONCE = 4


class Pass:
    """What happens in one call: changes, problems, and why ports or whole networks failed."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.problems: list[str] = []
        self.ports: dict[str, str] = {}
        self.networks: dict[str, str] = {}

    def fail(self, network: NetworkWiring, error: Exception) -> None:
        """Note that a network could not be made."""
        reason = error.message if isinstance(error, exception.ComputeError) else f'{type(error).__name__}: {error}'
        LOG.warning('network %s: %s', network.id, reason, exc_info=not isinstance(error, exception.ComputeError))
        self.networks[network.id] = reason
        self.problems.append(f'network {network.id}: {reason}')
        self.ports.update({port.id: reason for port in network.ports})

    def outcome(self) -> Outcome:
        """Return it as a value."""
        return Outcome(failed=self.ports, changes=tuple(self.changes), problems=tuple(self.problems))


class Plumber:
    """Makes networks on this host; see ``plumbing.Plumbing`` for what ``apply``, ``sync`` and ``cleanup`` promise."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._indexes = Indexes(os.path.join(settings.state_dir, 'indexes.json'), plan.capacity(settings.link_range))
        self._dhcp = Dhcp(settings)
        self._nft = nft.Loader()
        self._wired: dict[str, NetworkWiring] = {}
        self._synced = False

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> Outcome:
        """Make or remove these networks.

        :raises exception.Unavailable: before the first ``sync``: the packet filter is of all networks, and loading it
            with some would take their protection from the others.
        """
        if not self._synced:
            raise exception.Unavailable('not all networks of this host are known yet')
        this = Pass()
        with IPRoute() as ipr:
            links = Links(ipr, this.changes)
            self._remove(links, [network_id for network_id, network in networks.items() if network is None], this)
            self._make(links, [network for network in networks.values() if network is not None], this)
        return this.outcome()

    def sync(self, networks: list[NetworkWiring]) -> Outcome:
        """Make exactly these networks."""
        self._synced = True
        this = Pass()
        with IPRoute() as ipr:
            links = Links(ipr, this.changes)
            self._remove(links, self._traces(links) - {network.id for network in networks}, this)
            self._make(links, networks, this)
        if nft.drops_forwarded():
            this.problems.append('the iptables chain FORWARD of this host drops by default (Docker sets this): guests '
                                 'reach neither each other nor the world until a rule there lets their bridges pass')
        return this.outcome()

    def wires(self) -> list[Wire]:
        """Return the ports that have a tap of ours."""
        with IPRoute() as ipr:
            owners = {link.owner for link in Links(ipr, []) if link.owner is not None and link.owner[1]}
        return [Wire(port_id=port_id, network_id=network_id) for network_id, port_id in sorted(owners)]

    def cleanup(self) -> tuple[str, ...]:
        """Remove everything."""
        this = Pass()
        with IPRoute() as ipr:
            links = Links(ipr, this.changes)
            self._remove(links, self._traces(links), this)
            this.changes += self._nft.remove(self._tables())
        return tuple(this.changes)

    def _traces(self, links: Links) -> set[str]:
        marked = {link.owner[0] for link in links if link.owner is not None}
        return marked | self._indexes.known() | self._dhcp.known() | set(self._wired)

    def _remove(self, links: Links, network_ids: Iterable[str], this: Pass) -> None:
        for network_id in list(network_ids):
            self._wired.pop(network_id, None)
            this.changes += self._dhcp.remove(network_id)
            wires.remove_network(links, network_id, this.changes)
            self._nft.forget(names.namespace(network_id))
            self._indexes.release(network_id)

    def _make(self, links: Links, networks: list[NetworkWiring], this: Pass) -> None:
        if set_sysctl('ipv4/ip_forward', '1'):
            this.changes.append('forwarding switched on')
        accepted = []
        for network in networks:
            try:
                self._check(network)
            except Exception as error:
                this.fail(network, error)
                self._remove(links, {network.id} & self._traces(links), this)
            else:
                accepted.append(network)
                self._wired[network.id] = network
        plans = self._interfaces(links, accepted, this)
        failed = {network.id for network in accepted} - plans.keys()
        this.problems += wires.ensure_host_routes(
            links, self._all_plans(plans, failed), self._settings.host_routes, this.changes)
        made = [network for network in accepted if network.id in plans]
        self._each(made, self._inside, this)

    def _check(self, network: NetworkWiring) -> None:
        """Find what makes no sense in one network before it goes into the tables of all."""
        if (reason := refusal(network)) is not None:
            raise exception.Unsupported(reason)
        plan.make(network, 1, self._settings.link_range)
        marks = spoofing.numbers([network])
        spoofing.table([network], marks)
        filtering.table([network], marks, {network.id: 1}, self._settings)

    def _interfaces(self, links: Links, networks: list[NetworkWiring], this: Pass) -> dict[str, plan.Plan]:
        """Make bridges and namespaces, then taps: between the two the filter learns of the new ports."""
        plans, bridges = {}, {}
        for network in networks:
            try:
                index = self._indexes.number(network.id)
            except Exception as error:
                this.fail(network, error)
                self._wired.pop(network.id, None)
                continue
            try:
                made = plan.make(network, index, self._settings.link_range)
                bridges[network.id] = wires.ensure_network(links, made, this.changes)
                plans[network.id] = made
            except Exception as error:  # its filters are loaded all the same: guests may run there
                this.fail(network, error)
        self._filter(this)
        for network_id, made in plans.items():
            this.ports.update(wires.ensure_taps(links, made, bridges[network_id], self._settings))
        return plans

    def _all_plans(self, fresh: Mapping[str, plan.Plan], failed: set[str]) -> list[plan.Plan]:
        return [fresh.get(network.id) or plan.make(network, self._indexes.number(network.id), self._settings.link_range)
                for network in self._wired.values() if network.id not in failed]

    def _tables(self) -> list[nft.Table]:
        networks = [self._wired[network_id] for network_id in sorted(self._wired)]
        marks = spoofing.numbers(networks)
        zones = {network.id: self._indexes.number(network.id) for network in networks}
        return [spoofing.table(networks, marks), filtering.table(networks, marks, zones, self._settings),
                nat.host_table(networks, self._settings)]

    def _filter(self, this: Pass) -> None:
        if self._nft.ensure(self._tables()):
            this.changes.append('packet filter loaded')

    def _inside(self, network: NetworkWiring) -> list[str]:
        changes = []
        namespace = names.namespace(network.id)
        if self._nft.ensure([nat.namespace_table(self._settings)], namespace):
            changes.append(f'{namespace}: packet filter loaded')
        return changes + self._dhcp.ensure(network)

    def _each(self, networks: list[NetworkWiring], function: Callable[[NetworkWiring], list[str]], this: Pass) -> None:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running: list[tuple[NetworkWiring, Any]] = [(network, pool.submit(function, network))
                                                        for network in networks]
            for network, future in running:
                try:
                    this.changes += future.result()
                except Exception as error:
                    this.fail(network, error)


def settings_from(data: Mapping[str, Any]) -> Settings:
    """Rebuild settings from JSON types."""
    known = {field.name for field in dataclasses.fields(Settings)}
    values = {name: value for name, value in data.items() if name in known}
    values['dns_servers'] = tuple(values.get('dns_servers') or ())
    return Settings(**values)
