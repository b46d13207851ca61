"""The ports of a server, read anew before its guest starts: what its owner changed or deleted takes effect."""

from __future__ import annotations

import logging
from typing import Any

from compute import exception
from compute.clients import ports
from compute.clients.network import UNPLUGGABLE, Networks
from compute.objects.network import ServerPort
from compute.objects.nic import Nic
from compute.worker.events import PLUGGED, EventBook
from compute.worker.job import Job

LOG = logging.getLogger(__name__)


class Nics:
    """The NICs with which guests of this host start."""

    def __init__(self, conf: Any, host: str, networks: Networks, events: EventBook) -> None:
        self._options, self._host, self._networks, self._events = conf.worker, host, networks, events

    def current(self, job: Job) -> tuple[Nic, ...]:
        """Return the NICs of a server as they are now. Lost ports are left out; the others are bound to this host.

        While Network does not answer these are the NICs that are known: a server can be started without it.
        :raises Retry: a port cannot be bound to this host, or is not wired in time.
        """
        instance = job.instance
        try:
            found = ports.current(self._networks, [instance]).get(instance.uuid)
        except exception.ComputeError as error:
            LOG.warning('server %s starts with its stored ports; Network does not return them: %s', instance.uuid,
                        error.message)
            found = None
        if found is None:
            return instance.nics
        if lost := {nic.port_id for nic in instance.nics} - {each.port.id for each in found}:
            LOG.warning('server %s starts without ports %s: they were deleted or detached', instance.uuid,
                        ', '.join(sorted(lost)))
        return self._bound(job, found)

    def _bound(self, job: Job, found: tuple[ServerPort, ...]) -> tuple[Nic, ...]:
        if all(self._is_bound(each) for each in found):
            return tuple(each.nic for each in found)
        with self._events.expect(job.instance.uuid, PLUGGED) as expected:
            nics = []
            for each in found:
                nic = each.nic
                if not self._is_bound(each):
                    bound = self._bind(job, nic)
                    if not bound.active:
                        expected.need(nic.port_id)
                    nic = ports.with_own_facts(bound, nic)
                nics.append(nic)
            expected.wait(self._options.vif_plug_timeout, job.check, self.look)
        return tuple(nics)

    def _is_bound(self, each: ServerPort) -> bool:
        return each.port.host == self._host and each.nic.vif_type not in UNPLUGGABLE

    def _bind(self, job: Job, nic: Nic) -> Nic:
        instance = job.instance
        LOG.warning('port %s of server %s is bound to this host again', nic.port_id, instance.uuid)
        job.sure()
        return self._networks.bind_port(
            None, nic.port_id, host=self._host, device_id=instance.uuid, project_id=instance.project_id,
            hostname=instance.hostname, zone=self._options.availability_zone, again=True)

    def look(self, port_id: str) -> str | None:
        """Return what became of the wiring of a port; None while it is not decided."""
        return {'ACTIVE': 'completed', 'ERROR': 'failed'}.get(self._networks.port_status(None, port_id))
