"""One look at the cloud: the store, the ports, and what lies on hosts, each asked for once.

What does not answer is noted in ``unseen``: nothing is concluded from silence, and nothing is silently left out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy.engine import Connection

from compute import concurrency, exception
from compute import context as ctx
from compute.db import services
from compute.db.session import Database
from compute.objects.finding import Unseen
from compute.objects.network import Port
from compute.objects.residue import Residue, Wire
from compute.objects.value import now
from compute.rpc.network_agent import Wiring
from compute.rpc.worker import Inspection

T = TypeVar('T')
_AT_ONCE = 16


class Look:
    """``networks`` is a client of the Network service, ``rpc`` the bus; each None where it is not to be asked."""

    def __init__(self, conf: Any, db: Database, networks: Any = None, rpc: Any = None) -> None:
        self.conf, self.db, self.networks, self._rpc = conf, db, networks, rpc
        self.unseen: list[Unseen] = []

    @property
    def can_ask(self) -> frozenset[str]:
        """What may be asked beside the store."""
        return frozenset(name for name, there in (('network', self.networks), ('hosts', self._rpc)) if there)

    def again(self) -> Look:
        """Return a fresh look at the same cloud, which remembers what did not answer."""
        other = Look(self.conf, self.db, self.networks, self._rpc)
        other.unseen = self.unseen
        return other

    def read(self, function: Callable[[Connection], T]) -> T:
        """Run a function that reads the store."""
        return self.db.read(function)

    @cached_property
    def ports(self) -> dict[str, Port]:
        """Every port by id. :raises ComputeError: the Network service does not tell."""
        return {port.id: port for port in self.networks.all_ports()}

    @cached_property
    def residue(self) -> dict[str, Residue]:
        """What lies on hosts, by host; those that did not answer are left out and noted."""
        down_after = self.conf.conductor.service_down_time
        hosts = []
        for service in self.read(lambda connection: services.page(connection, binary='nova-compute')):
            if service.is_up(now(), down_after):
                hosts.append(service.host)
            else:
                self._note('host', service.host, 'it is forced down' if service.forced_down else
                           f'it was not heard since {service.last_seen_at}')
        return self._ask(hosts, 'host', lambda host: self._rpc.client(Inspection, host).residue(ctx.internal()))

    @cached_property
    def wires(self) -> dict[str, list[Wire]]:
        """What agents of the built-in network made on hosts, by host; those that did not answer are noted."""
        return self._ask(self.networks.agent_hosts(), 'network agent',
                         lambda host: self._rpc.client(Wiring, host).wires(ctx.internal()))

    def _ask(self, hosts: list[str], what: str, ask: Callable[[str], T]) -> dict[str, T]:
        if not hosts:
            return {}
        answers: dict[str, T] = {}
        pool = concurrency.Pool('audit', min(_AT_ONCE, len(hosts)), queue=len(hosts))
        try:
            asked = {host: pool.submit(self._one, what, host, ask) for host in hosts}
            for host, future in asked.items():
                if (answer := future.result()) is not None:
                    answers[host] = answer
        finally:
            pool.shutdown()
        return answers

    def _one(self, what: str, host: str, ask: Callable[[str], T]) -> T | None:
        try:
            return ask(host)
        except exception.ComputeError as error:
            self._note(what, host, error.message)
            return None

    def _note(self, what: str, name: str, reason: str) -> None:
        if not any((each.what, each.name) == (what, name) for each in self.unseen):
            self.unseen.append(Unseen(what=what, name=name, reason=reason))
