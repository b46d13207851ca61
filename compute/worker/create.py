"""Make a server on this host: its ports, its image, its guest."""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import Any

from compute import exception, states
from compute.clients import ports
from compute.clients.group_names import GroupNames
from compute.clients.image import Images
from compute.clients.network import Networks
from compute.objects.kinds.create import CREATE, CreateArgs
from compute.objects.network import Port
from compute.objects.nic import Nic, NicRequest
from compute.objects.operation import InstanceUpdate
from compute.virt.driver import Driver
from compute.worker.events import PLUGGED, EventBook
from compute.worker.guest import guest_of
from compute.worker.job import Job

LOG = logging.getLogger(__name__)
# Two beats of an agent: what it takes to be heard again after an outage.
_AGENT_PATIENCE = 20.0


class Create:
    """The ``create`` of one host."""

    def __init__(self, conf: Any, host: str, driver: Driver, images: Images, networks: Networks,
                 events: EventBook) -> None:
        self._options, self._host = conf.worker, host
        self._driver, self._images, self._networks, self._events = driver, images, networks, events
        self._group_names = GroupNames(networks).of

    def run(self, job: Job) -> InstanceUpdate:
        """Wire its ports, fetch its image, start its guest."""
        job.stage('networking')
        nics = self._network(job)
        job.stage('block_device_mapping', InstanceUpdate(nics=nics))
        instance = job.instance
        if instance.image is not None:
            job.sure()
            self._driver.prepare(instance, lambda image_id: self._images.download(None, image_id), job.cancelled)
        job.stage('spawning')
        job.sure()
        self._driver.spawn(guest_of(self._options, instance, nics, self._group_names, _args(job).admin_pass,
                                    job.work.files))
        job.check()
        self._drop_surplus(job, nics)
        info = self._driver.guest_info(instance.uuid)
        return InstanceUpdate(vm_state=states.ACTIVE, power_state=info.power_state, launched=True, clear_fault=True,
                              nics=nics)

    def undo(self, job: Job) -> None:
        """Remove the guest and give back its ports: of a server that may be another host's by now only those here."""
        try:
            self._driver.destroy(job.instance)
        except exception.Failed as error:
            if error.code != 'disk_remove':  # then the guest runs, and its ports are in use
                raise
            self._release(job)
            raise
        self._release(job)

    def _release(self, job: Job) -> None:
        ports.release(self._networks, job.instance, keep=ports.brought(job.instance, _args(job).nics),
                      host=self._host if job.lost else None)

    def after_failure(self, job: Job) -> InstanceUpdate | None:
        """Nothing is left of it here."""
        return InstanceUpdate(nics=())

    def _network(self, job: Job) -> tuple[Nic, ...]:
        """Have every port bound to this host and wired; ports of an attempt that was cut off are used again."""
        wanted = _args(job).nics
        if not wanted:
            return ()
        instance, options = job.instance, self._options
        left = self._left_over(job, wanted)
        with self._events.expect(instance.uuid, PLUGGED) as expected:
            nics = []
            for request in wanted:
                nic = self._bind_patiently(job, request, left)
                if not nic.active:  # one that is wired already is not announced again
                    expected.need(nic.port_id)
                nics.append(dataclasses.replace(nic, tag=request.tag, owned=request.port_id is None))
            expected.wait(options.vif_plug_timeout, job.check, self._look, reason=self._reason)
        return tuple(dataclasses.replace(nic, active=True) for nic in nics)

    def _drop_surplus(self, job: Job, nics: tuple[Nic, ...]) -> None:
        """Delete ports of ours that the server does not have: a request whose answer nobody waited for made them."""
        if not nics or not self._comes_again(job):
            return
        have = {nic.port_id for nic in nics}
        for port in self._networks.ports_of(job.instance.uuid):
            if port.owned and port.id not in have and ports.counts(port, job.instance):
                job.sure()  # asked after the list was read: it may show ports that our successor made
                LOG.warning('port %s of server %s is deleted: it was created by a request that timed out', port.id,
                            job.instance.uuid)
                self._networks.delete_port(None, port.id)

    @staticmethod
    def _comes_again(job: Job) -> bool:
        """Tell whether there were attempts before this one, which may have made ports."""
        return job.recovering or bool(job.work.operation.attempt)

    def _left_over(self, job: Job, wanted: tuple[NicRequest, ...]) -> list[Port]:
        if not self._comes_again(job):
            return []
        given = {request.port_id for request in wanted}
        return [port for port in self._networks.ports_of(job.instance.uuid)
                if port.id not in given and ports.counts(port, job.instance)]

    def _bind_patiently(self, job: Job, request: NicRequest, left: list[Port]) -> Nic:
        """Bind, again for a while: after an outage of the broker this host's agent is heard only with its next beat."""
        end = time.monotonic() + min(_AGENT_PATIENCE, self._options.patience)
        while True:
            try:
                return self._bind(job, request, left)
            except exception.Retry as error:
                if error.code != 'port_binding_failed' or time.monotonic() > end:
                    raise
            job.cancelled.wait(1)
            job.check()

    def _bind(self, job: Job, request: NicRequest, left: list[Port]) -> Nic:
        instance = job.instance
        again = next((port for port in left if port.network_id == request.network_id), None)
        where = {'host': self._host, 'device_id': instance.uuid, 'project_id': instance.project_id,
                 'zone': self._options.availability_zone, 'hostname': instance.hostname}
        job.sure()
        if again is not None:
            try:
                nic = self._networks.bind_port(None, again.id, **where)
            except exception.NotFound:
                LOG.info('port %s of an earlier attempt was already deleted by its creator', again.id)
                left.remove(again)
                return self._bind(job, request, left)
            left.remove(again)
            return nic
        if request.port_id is not None:
            return self._networks.bind_port(None, request.port_id, **where)
        return self._networks.create_port(None, request.network_id or '', fixed_ip=request.fixed_ip,
                                          security_groups=instance.security_groups, **where)

    def _reason(self, port_id: str) -> str:
        """Return what the network service knows of a port that could not be wired."""
        try:
            return self._networks.wiring_problem(port_id, self._host)
        except exception.ComputeError as error:
            LOG.info('the network service gives no reason why port %s is not wired: %s', port_id, error.message)
            return ''

    def _look(self, port_id: str) -> str | None:
        return {'ACTIVE': 'completed', 'ERROR': 'failed'}.get(self._networks.port_status(None, port_id))


def _args(job: Job) -> CreateArgs:
    return CREATE.args_of(job.work.operation.args)
