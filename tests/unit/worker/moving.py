"""Two hosts with the fake driver and the handlers of workers, and a server that moves between them, leg by leg."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from compute import conf as options
from compute import context as ctx
from compute import exception
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.objects.events import ExternalEvent
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.kinds import kind_of
from compute.objects.kinds.confirm_resize import ConfirmArgs
from compute.objects.kinds.moving import MoveArgs, MovePlan
from compute.objects.kinds.revert_resize import RevertArgs
from compute.objects.operation import UNDOING, InstanceUpdate, Operation, OperationError, Work
from compute.objects.value import encode
from compute.virt.driver import Guest
from compute.virt.fake.driver import FakeDriver
from compute.worker.host import HostWorker
from compute.worker.runner import Runner
from tests.rpc_recorder import RecordedRpc
from tests.waiting import wait_until

UUID = '10000000-0000-4000-8000-000000000001'
OLD = Flavor(flavorid='1', name='f', vcpus=1, memory_mb=64, root_gb=1)
NEW = Flavor(flavorid='2', name='g', vcpus=2, memory_mb=128, root_gb=2)


@dataclasses.dataclass
class End:
    """What a worker reported at last of an operation: an update, or an error."""

    update: InstanceUpdate | None = None
    undone: bool = False
    error: OperationError | None = None


class Ledger:
    """Stands for the reporter of a host: answers ``begin``, notes how operations end. ``at`` runs something then."""

    def __init__(self, host: str, work: Work, plan: Callable[[dict[str, Any]], None]) -> None:
        self.host, self._work, self._plan = host, work, plan
        self.end: End | None = None
        self.stale = False
        self.at: dict[str, Callable[[], None]] = {}

    def begin(self, context: Any, operation_id: int) -> Work:
        return self._work

    def progress(self, context: Any, operation_id: int, stage: str, update: Any, stages: Any, *,
                 once: bool = False) -> None:
        self.at.get(stage, lambda: None)()
        if self.stale:
            raise exception.Stale('cancelled')

    def finish(self, context: Any, operation_id: int, leg: int, update: InstanceUpdate, carry: dict[str, Any] | None,
               stages: Any, *, undone: bool = False) -> None:
        assert leg == self._work.operation.leg
        self._plan(carry or {})
        self.end = End(update=update, undone=undone)

    def fail(self, context: Any, operation_id: int, error: OperationError, update: InstanceUpdate | None,
             stages: Any) -> None:
        self.end = End(error=error, update=update)

    def holds(self, operation_id: int) -> bool:
        return not self.stale


class Site:
    """One host."""

    def __init__(self, name: str, conf: cfg.ConfigOpts, images: FakeImages, networks: FakeNetworks) -> None:
        self.name, self.driver = name, FakeDriver(conf, name)
        rpc: Any = RecordedRpc()
        self.worker = HostWorker(conf, rpc, name, self.driver, images, networks, lambda: None)
        self.driver.start(lambda event: None)

    def power(self) -> int | None:
        """Return the power state of the guest here; None where it is not."""
        try:
            return self.driver.guest_info(UUID).power_state
        except exception.NotFound:
            return None

    @property
    def aside(self) -> bool:
        """Whether the guest is set aside here."""
        return self.driver.moves.all_aside() == [UUID]

    def fail(self, method: str, code: str = 'disk_full') -> None:
        """Let the next call of a method of the driver fail."""
        self.driver._faults.add(method, exception.Failed('it is so', code=code))


class Bed:
    """A server on host ``a``, and the plan of a move to ``b``."""

    def __init__(self, folder: pathlib.Path, vm_state: str = 'active', *, same: bool = False) -> None:
        self.conf = options.register(cfg.ConfigOpts())
        self.conf([], project='compute', default_config_files=[], default_config_dirs=[])
        for name, value in (('vif_plug_timeout', 1), ('patience', 0), ('shutdown_timeout', 0),
                            ('state_path', str(folder))):
            self.conf.set_override(name, value, 'worker')
        self.conf.set_override('download_images', True, 'fake')
        self.images, self.networks = FakeImages(), FakeNetworks(on_wired=self._wired)
        self.a, self.b = (Site(name, self.conf, self.images, self.networks) for name in 'ab')
        self.image = self.images.add(data=b'x' * 100)
        network = self.networks.add_network(project_id='p1', name='net1')
        self.nic = self.networks.create_port(None, network, project_id='p1', device_id=UUID, host='a')
        self.instance = Instance(
            id=7, uuid=UUID, project_id='p1', user_id='ann', name='vm', flavor=OLD, host='a', image=self.image,
            vm_state=vm_state, nics=(self.nic,))
        self.plan: dict[str, Any] = encode(MovePlan(
            source='a', destination='a' if same else 'b', destination_address='127.0.0.1'))
        self.destination = self.a if same else self.b
        self.a.driver.prepare(self.instance, lambda image_id: self.images.download(None, image_id))
        self.a.driver.spawn(Guest(instance=self.instance, nics=self.instance.nics))
        if vm_state == 'stopped':
            self.a.driver.power_off(self.instance, 0)

    def _wired(self, port_id: str, device_id: str) -> None:
        for site in (self.a, self.b):
            site.worker.events.note(ExternalEvent(instance_uuid=device_id, name='network-vif-plugged', tag=port_id))

    # -- operations --

    def run(self, site: Site, kind: str, leg: int = 0, args: Any = None, *, undo: bool = False, stage: str = '',
            at: dict[str, Callable[[Ledger], None]] | None = None, recover: bool = False) -> End | None:
        """Run an operation on a host to its end; None when it was left without a word.

        :param stage: the one that the ledger knows. :param at: what happens when a stage is reported.
        """
        operation = Operation(id=1, request_id='req-1', kind=kind, instance_uuid=UUID, leg=leg, stage=stage,
                              state=UNDOING if undo else 'running', args=encode(args), plan=self.plan)
        noted = None if undo else kind_of(kind).legs[leg].stages[0].name
        ledger = Ledger(site.name, Work(operation=operation, instance=self.instance, noted=noted), self._carry)
        ledger.at = {name: lambda what=what: what(ledger) for name, what in (at or {}).items()}  # type: ignore[misc]
        runner = Runner(ledger, site.worker.runner._handlers, 2, 2)  # type: ignore[arg-type]
        runner.submit(ctx.internal(), operation.ref, recover=recover)
        wait_until(lambda: not runner.running(), 'the end of the operation')
        runner.stop()
        return ledger.end

    def _carry(self, found: dict[str, Any]) -> None:
        self.plan = {**self.plan, **found}

    def move(self, leg: int, kind: str = 'resize', **more: Any) -> End:
        """Run, or undo, a leg of the move; it must report."""
        end = self.run(self.a if leg == 1 else self.destination, kind, leg,
                       MoveArgs(flavor=NEW, vm_state=self.instance.vm_state), **more)
        assert end is not None
        return end

    def settled(self) -> Bed:
        """Move the server; the ledger has it at its destination."""
        self.move(1)
        end = self.move(2)
        assert end.update is not None and end.update.nics is not None
        self.instance = dataclasses.replace(self.instance, flavor=NEW, host=self.destination.name,
                                            nics=end.update.nics)
        return self

    def confirm(self, **more: Any) -> End | None:
        """Confirm it at the source."""
        return self.run(self.a, 'confirm_resize', 0, ConfirmArgs(vm_state=self.instance.vm_state), **more)

    def revert(self, leg: int, **more: Any) -> End | None:
        """Run a leg of the reversal."""
        return self.run(self.a if leg else self.destination, 'revert_resize', leg,
                        RevertArgs(flavor=OLD, vm_state=self.instance.vm_state), **more)

    # -- what is there --

    def bound(self) -> str | None:
        """Return the host to which the port is bound."""
        port, = self.networks.ports
        return port.host

    def is_back(self, power: int) -> bool:
        """Return whether the guest is on its old host as it was, and nowhere else."""
        return (self.a.power() == power and not self.a.aside and self.b.power() is None and not self.b.aside
                and self.bound() == 'a' and self.a.driver.guest_info(UUID).vcpus == OLD.vcpus)

    def close(self) -> None:
        """End what listens."""
        for site in (self.a, self.b):
            site.worker.stop()
