"""A bed of the fault matrix without processes: one conductor on SQLite that a test steps in its own thread.

The seams and the switches are those of the real bed. An operation that comes to a held point stands there: its thread
is unwound and never goes on, as that of a process that is killed at this point.
"""

from __future__ import annotations

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from compute.builtin.network.db.tables import metadata as network_tables
from compute.conductor import create
from compute.conductor.operations import OperationsEndpoint
from compute.conductor.reaper import Reaper
from compute.db.session import Database
from compute.db.tables import operations
from tests.real.faults import broken, seams
from tests.real.faults.bed import Bed
from tests.real.faults.points import Points
from tests.real.faults.ways import LOST, WAYS, Cell
from tests.unit.conductor.making import LONG_AGO, USER, AtOnce, Controller

WAY = tuple(way for way in WAYS if way.name == 'delete without host')
"""What one conductor does alone: it needs neither a host nor a port."""


class Stands(BaseException):
    """An operation has come to a point that is held."""


class SteppedPoints(Points):
    """Points at which nobody waits."""

    def pass_by(self, point: str) -> None:
        if self.is_held(point):
            Path(self.folder, 'reached', point).touch()
            raise Stands(point)


class SteppedBed(Bed):
    """What ``rows.run`` needs of a bed. Install its seams within ``wrapping.undone()``."""

    def __init__(self, folder: Path) -> None:  # none of the real bed's processes is made
        self.folder = folder
        self.points = SteppedPoints(folder / 'points')
        self.known = set()
        self.controller = Controller(f'{folder}/compute.sqlite')
        self.controller.conf.set_override('host', self.controller.cloud.host)
        network = Database(f'sqlite:///{folder}/network.sqlite', self.controller.conf.database)
        network_tables.create_all(network.engine)
        self.stores = {'compute': self.controller.db, 'network': network}
        self.running = {'conductor': self.controller.conductor}

    def install(self) -> None:
        """Put the seams of a conductor in place."""
        seams._conductor(self.points, 'conductor')
        broken.install(self.points, 'conductor')

    def remove(self) -> None:
        for store in self.stores.values():
            store.dispose()

    def provide(self, cells: list[Cell]) -> None:
        """Give each cell a server in ERROR: there is no host."""
        for number, cell in enumerate(cells):
            assert cell.way.begins == LOST
            cell.server = f's{number}'
            made = self.controller.create(name=cell.server)
            cell.uuid = made.instance_uuid
            self.controller.conductor.submit(create.place, USER, made.id)
            assert self.controller.instance(cell.uuid).vm_state == 'error'

    def ask(self, cells: list[Cell], **values: Any) -> list[Future[Any]]:
        """Delete the servers and let the conductor hear of it, until each operation stands at its point."""
        self.points.hold(cell.point for cell in cells)
        for cell in cells:
            number = self.controller.delete(cell.uuid).id
            try:
                OperationsEndpoint(self.running['conductor']).begin(USER, kind='delete', operation_ids=(number,))
            except Stands:
                continue
        return []

    def reach(self, cells: list[Cell]) -> None:
        assert all(self.points.reached(cell.point) for cell in cells)

    def kill(self, *names: str) -> None:
        """Forget a conductor; its leases stay until they run out."""
        for name in names:
            del self.running[name]

    def begin(self, *names: str) -> None:
        """Let another conductor run, leases run out, and its reaper sweep."""
        for name in names:
            self.running[name] = AtOnce(self.controller.cloud)  # type: ignore[arg-type]
            self.controller.db.transaction(lambda connection: connection.execute(operations.update().where(
                operations.c.lease_until.is_not(None)).values(lease_until=LONG_AGO)))
            Reaper(self.running[name]).sweep()

    def tidy(self) -> None:
        """Leave everything as it is: each row has a bed of its own."""
