"""A server that is resized or migrated, confirmed and reverted, through a ``Controller`` with hosts a, b and c."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from compute.conductor.operations import OperationsEndpoint
from compute.control.instances import confirm_resize, migrate, resize, revert_resize
from compute.db import claims, flavors, instances, quotas
from compute.db.migrations import from_row
from compute.db.tables import hosts as hosts_table
from compute.db.tables import migrations as table
from compute.objects.flavor import Flavor
from compute.objects.instance import Instance
from compute.objects.migration import Migration
from compute.objects.operation import InstanceUpdate, Operation, Work
from tests.unit.conductor.making import USER, Controller
from tests.unit.conductor.test_delete import built

SMALL, LARGE = 'small', 'large'
# Cores and MB of each flavor; the server has flavor 1.
SIZES = {'1': (1, 1024), SMALL: (1, 512), LARGE: (2, 2048)}


class Move:
    """A server that runs on b, and what is asked of it last."""

    def __init__(self, controller: Controller, vm_state: str = 'active', **more: Any) -> None:
        self.controller = controller
        self.key = built(controller, **more)
        controller.db.transaction(lambda connection: instances.update(connection, self.key, vm_state=vm_state))
        self.number = 0

    # -- what is asked --

    def resize(self, flavor: str = LARGE) -> Move:
        """Ask for another flavor."""
        return self._asked(resize.resize(self.controller.cloud, USER, self.server, flavor))  # type: ignore[arg-type]

    def migrate(self, host: str | None = None) -> Move:
        """Ask for another host."""
        return self._asked(migrate.migrate(self.controller.cloud, USER, self.server, host))  # type: ignore[arg-type]

    def confirm(self) -> Move:
        """Ask to confirm."""
        return self._asked(confirm_resize.confirm_resize(self.controller.cloud, USER, self.server))  # type: ignore[arg-type]

    def revert(self) -> Move:
        """Ask to revert."""
        return self._asked(revert_resize.revert_resize(self.controller.cloud, USER, self.server))  # type: ignore[arg-type]

    def _asked(self, operation: Operation) -> Move:
        self.number = operation.id
        return self

    # -- what daemons do --

    def place(self) -> Move:
        """Let a conductor begin it."""
        OperationsEndpoint(self.controller.conductor).begin(
            USER, kind=self.operation.kind, operation_ids=(self.number,))
        return self

    def begin(self, host: str | None = None) -> Work:
        """Let the host whose turn it is, or another, lease it."""
        return self.controller.begin(self.number, host or self.operation.host or '')

    def done(self, **update: Any) -> Move:
        """Let the host whose turn it is do its leg, or the undo of it."""
        host = self.operation.host or ''
        self.begin(host)
        self.controller.reports.finish(
            USER, operation_id=self.number, leg=self.operation.leg, undone=self.operation.state == 'undoing',
            update=InstanceUpdate(**update), **self.controller.who(host))
        return self

    def fail(self, *, begun: bool = False) -> Move:
        """Let the host whose turn it is fail."""
        host = self.operation.host or ''
        if not begun:
            self.begin(host)
        self.controller.fail(self.number, host)
        return self

    def moved(self) -> Move:
        """Let it all be done up to the decision of the user."""
        return self.place().done(power_state=4).done(power_state=1, launched=True, clear_fault=True)

    def sweep(self, **values: Any) -> None:
        """Let the reaper look when the lease, or what is said, has run out."""
        self.controller.overdue(self.number, **values)
        self.controller.reaper.sweep()

    # -- what is seen --

    @property
    def operation(self) -> Operation:
        """The last operation as it is now."""
        return self.controller.operation(self.number)

    @property
    def server(self) -> Instance:
        """The server as it is now."""
        return self.controller.instance(self.key)

    @property
    def migrations(self) -> list[Migration]:
        """The migrations of the server, oldest first."""
        return [from_row(row) for row in self.controller.db.rows(
            sa.select(table).where(table.c.instance_uuid == self.key).order_by(table.c.id))]

    @property
    def status(self) -> str:
        """The status of its last migration."""
        return self.migrations[-1].status

    @property
    def claims(self) -> dict[str, str]:
        """The hosts of its claims by purpose."""
        held = self.controller.db.read(lambda connection: claims.by_purpose(connection, self.key))
        names = {row.id: row.host for row in self.controller.db.rows(sa.select(hosts_table))}
        return {purpose: names[row.host_id] for purpose, row in held.items()}

    @property
    def charged(self) -> tuple[int, int]:
        """The cores and the memory that its project is charged with."""
        used = self.controller.db.read(lambda connection: quotas.usage_of(connection, 'p1'))
        return used['cores'], used['ram']

    def is_as_it_was(self, code: str | None = None, vm_state: str = 'active') -> bool:
        """Return whether the server is on b with its first flavor and no more; ``code``: and this is its fault."""
        server = self.server
        error = self.operation.error if code is not None else None
        return ((server.host, server.flavor.flavorid, server.vm_state, server.task_state) == ('b', '1', vm_state, None)
                and self.claims == {'current': 'b'} and self.charged == SIZES['1']
                and (code is None or bool(error and error.code == code and server.fault
                                          and server.fault.reason == code)))


def add_flavors(controller: Controller) -> None:
    """Add a smaller and a larger flavor."""
    for name in (SMALL, LARGE):
        vcpus, memory = SIZES[name]
        flavor = Flavor(flavorid=name, name=name, vcpus=vcpus, memory_mb=memory, root_gb=1)
        controller.db.transaction(lambda connection, flavor=flavor: flavors.insert(connection, flavor))  # type: ignore[misc]
