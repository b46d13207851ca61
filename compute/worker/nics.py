"""The ports of a server, read anew before its guest starts: what its owner changed or deleted takes effect."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from compute import exception
from compute.clients import ports
from compute.clients.network import UNPLUGGABLE, Networks
from compute.objects.instance import Instance
from compute.objects.network import ServerPort
from compute.objects.nic import Nic
from compute.worker.events import PLUGGED, EventBook
from compute.worker.job import Job

LOG = logging.getLogger(__name__)
_LOOK = 4.0
"""Seconds between two queries for the wiring of a port that no event reported."""


class Nics:
    """The NICs with which guests of this host start."""

    def __init__(self, conf: Any, host: str, networks: Networks, events: EventBook) -> None:
        self._options, self._host, self._networks, self._events = conf.worker, host, networks, events

    def current(self, job: Job) -> tuple[Nic, ...]:
        """Return the NICs of a server as they are now. Lost ports are left out; the others are bound to this host.

        While Network does not answer these are the NICs that are known: a server can be started without it.
        :raises Retry: a port cannot be bound to this host, or is not wired in time.
        """
        found = self.read([job.instance]).get(job.instance.uuid)
        return job.instance.nics if found is None else self._current(job, found)

    def moved(self, job: Job) -> tuple[Nic, ...]:
        """Return the NICs of a server that has come to this host, bound to it; see ``current``.

        :raises Unavailable: Network does not answer: the NICs that are known may be bound to another host.
        """
        found = self.read([job.instance]).get(job.instance.uuid)
        if found is None and job.instance.nics:
            raise exception.Unavailable(f'ports of server {job.instance.uuid} must be bound to this host, and Network '
                                        'does not return them', code='network_unavailable')
        return self._current(job, found or ())

    def _current(self, job: Job, found: tuple[ServerPort, ...]) -> tuple[Nic, ...]:
        if lost := {nic.port_id for nic in job.instance.nics} - {each.port.id for each in found}:
            LOG.warning('server %s starts without ports %s: they were deleted or detached', job.instance.uuid,
                        ', '.join(sorted(lost)))
        return self.bound(job.instance, found, self._options.vif_plug_timeout, job.check, job.sure)

    def read(self, instances: Sequence[Instance]) -> dict[str, tuple[ServerPort, ...]]:
        """Return the ports of servers as they are now, by server; a server whose ports cannot be read is missing.

        Each request to Network is bounded to seconds, also where Network accepts connections and does not answer.
        """
        try:
            return ports.current(self._networks, instances, soon=True)
        except exception.ComputeError as error:
            LOG.warning('%d servers (%s) start with their stored ports; Network does not return them: %s',
                        len(instances), ', '.join(each.uuid for each in instances[:3]), error.message)
            return {}

    def bound(self, instance: Instance, found: tuple[ServerPort, ...], timeout: float, check: Callable[[], None],
              sure: Callable[[], None]) -> tuple[Nic, ...]:
        """Bind the ports of a server to this host where they are not, and return its NICs.

        A port that is deleted meanwhile is left out.
        :param timeout: seconds to wait for the wiring of new bindings. :param check: called while this waits; it may
            raise. :param sure: called before each binding; it raises if this host must no longer act on the server.
        :raises Retry: a port cannot be bound to this host, or is not wired in time.
        """
        if all(self._is_bound(each) for each in found):
            return tuple(each.nic for each in found)
        gone: set[str] = set()

        def look(port_id: str) -> str | None:
            try:
                return self.look(port_id)
            except exception.NotFound:
                self._lost(instance, port_id)
                gone.add(port_id)
                return 'completed'
        with self._events.expect(instance.uuid, PLUGGED) as expected:
            nics = []
            for each in found:
                nic = each.nic
                if not self._is_bound(each):
                    sure()
                    try:
                        bound = self._bind(instance, nic)
                    except exception.NotFound:
                        self._lost(instance, nic.port_id)
                        continue
                    if not bound.active:
                        expected.need(nic.port_id)
                    nic = ports.with_own_facts(bound, nic)
                nics.append(nic)
            expected.wait(timeout, check, look, every=_LOOK)
        return tuple(nic for nic in nics if nic.port_id not in gone)

    def _is_bound(self, each: ServerPort) -> bool:
        return each.port.host == self._host and each.nic.vif_type not in UNPLUGGABLE

    def _bind(self, instance: Instance, nic: Nic) -> Nic:
        LOG.info('port %s of server %s is bound to this host', nic.port_id, instance.uuid)
        return self._networks.bind_port(
            None, nic.port_id, host=self._host, device_id=instance.uuid, project_id=instance.project_id,
            hostname=instance.hostname, zone=self._options.availability_zone, again=True)

    @staticmethod
    def _lost(instance: Instance, port_id: str) -> None:
        LOG.warning('server %s starts without port %s: it was deleted meanwhile', instance.uuid, port_id)

    def look(self, port_id: str) -> str | None:
        """Return what became of the wiring of a port; None while it is not decided."""
        return {'ACTIVE': 'completed', 'ERROR': 'failed'}.get(self._networks.port_status(None, port_id))
