"""A cluster whose daemons can be held at any point: two fake hosts, the first much larger, so that work begins there.

``Bed`` gives servers in the states that ways begin with, brings one operation to each point, and knows what became of
it. ``rows`` says what is done with that.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import requests
import sqlalchemy as sa

from compute.db.tables import instances, operations
from tests.real.cluster import Client, Cloud, Cluster
from tests.real.faults.link import Link
from tests.real.faults.points import Points
from tests.real.faults.ways import ACTIVE, GONE, LARGER, LOST, NEW, PAUSED, RESIZED, STOPPED, SUSPENDED, Cell
from tests.waiting import LONG, comes_true

_SIZES = {'worker': {'memory_mb': 1048576, 'vcpus': 1000, 'disk_gb': 102400},
          'worker2': {'memory_mb': 131072, 'vcpus': 100, 'disk_gb': 10240}}
VICTIM, OTHER = 'node1', 'node2'
_MADE: dict[str, tuple[dict[str, Any], str]] = {
    STOPPED: ({'os-stop': None}, 'SHUTOFF'), PAUSED: ({'pause': None}, 'PAUSED'),
    SUSPENDED: ({'suspend': None}, 'SUSPENDED'), RESIZED: ({'migrate': None}, 'VERIFY_RESIZE')}
"""How a server that runs gets into a state, and the status that it has then."""
FIRST = '-1'
"""How the name of the first of several servers of a request ends."""
B = TypeVar('B', bound='Bed')


class Bed(Cluster):
    """The cluster, its points, and servers to work on."""

    names = ('identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'network_agent', 'network_agent2',
             'worker', 'worker2')

    def __init__(self, folder: Path, concurrency: str) -> None:
        self.points = Points(folder / 'points')
        super().__init__(folder, concurrency, spawn_delay=0.2)
        self._serial = 0
        self.pool = ThreadPoolExecutor(24)
        self.known: set[str] = set()
        self.link: Link | None = None

    def program(self, name: str, kind: str) -> list[str]:
        return ['-m', 'tests.real.faults.launch', kind, name, str(self.folder / 'points')]

    def add(self, name: str, host: str | None = None, **overrides: dict[str, Any]) -> Any:
        kind = name.rstrip('0123456789')
        if kind == 'worker':
            overrides = {'fake': {**_SIZES['worker' if host in (None, VICTIM) and name != 'worker2' else 'worker2'],
                                  'download_images': True},
                         'worker': {'max_concurrent_builds': 20, 'max_concurrent_actions': 40,
                                    'max_concurrent_moves': 100, 'power_sync_interval': 3}, **overrides}
        if name == 'worker' and self.link is not None:
            overrides = {'DEFAULT': {'transport_url': self.broker.url_at(self.link.port)}, **overrides}
        if kind == 'scheduler':
            overrides = {'scheduler': {'heartbeat_interval': 2, 'build_failure_weight_multiplier': 0,
                                       'health_weight_multiplier': 0}, **overrides}
        if kind in ('conductor', 'api', 'scheduler'):  # a machine that is busy with all this must not look down
            overrides.setdefault('conductor', {})['service_down_time'] = 30
        return super().add(name, host, **overrides)

    def start(self) -> None:
        """Run everything, and make what servers need."""
        self.mariadb.start()
        self.broker.start()
        self.link = Link(self.broker.port)
        for name in self.names:
            self.add(name)
        self._bootstrap()
        self.begin(*self.names)
        self.furnish()
        self.huge = self.client.ok('POST', 'compute', '/flavors', {'flavor': {
            'name': 'huge', 'ram': 256, 'vcpus': 1, 'disk': 9999999}})['flavor']['id']
        self.larger = self.client.ok('POST', 'compute', '/flavors', {'flavor': {
            'name': 'larger', 'ram': 512, 'vcpus': 1, 'disk': 2}})['flavor']['id']

    def furnish(self) -> None:
        """Make what servers need."""
        self.client = Client(self)
        self.cloud = Cloud(self.client)

    def request(self, **values: Any) -> dict[str, Any]:
        """Return the body of a create."""
        return self.cloud.request(**values)

    def powers(self) -> dict[str, list[tuple[str, int]]]:
        """Return hosts and power states of each guest, by uuid."""
        found: dict[str, list[tuple[str, int]]] = {}
        for path in (self.folder / 'guests').glob('*/*.json'):
            try:
                guest = json.loads(path.read_text())
            except FileNotFoundError:  # removed since the folder was listed
                continue
            found.setdefault(guest['uuid'], []).append((path.parent.name, guest['power_state']))
        return found

    def asides(self) -> list[tuple[str, str]]:
        """Return host and uuid of each guest that is set aside."""
        return sorted((path.parent.parent.name, path.name) for path in (self.folder / 'guests').glob('*/aside/*'))

    def guests(self) -> dict[str, list[str]]:
        return {uuid: [host for host, _ in places] for uuid, places in self.powers().items()}

    def remove(self) -> None:
        self.points.forget()
        super().remove()
        if self.link is not None:
            self.link.remove()
        self.pool.shutdown(cancel_futures=True)

    # -- servers to work on --

    def provide(self, cells: list[Cell]) -> None:
        """Give each cell a server in the state in which its way begins; what earlier rows left is used again."""
        self.points.forget()
        wanted = {state: [cell for cell in cells if cell.way.begins == state] for state in (ACTIVE, LOST, *_MADE)}
        have = {state: self._idle(state) for state in wanted}
        lacking = {state: max(0, len(wanted[state]) - len(have[state])) for state in wanted}
        spare = have[ACTIVE][len(wanted[ACTIVE]):]
        count = lacking[ACTIVE] + sum(lacking[state] for state in _MADE) - len(spare)
        new = [self._boot() for _ in range(max(0, count))]
        lost = [self._boot(flavorRef=self.huge) for _ in range(lacking[LOST])]
        for uuid in new:
            self.client.wait(uuid, 'ACTIVE')
        for uuid in lost:
            self.client.wait(uuid, 'ERROR')
        stock = {**have, LOST: have[LOST] + lost, ACTIVE: have[ACTIVE][:len(wanted[ACTIVE])]}
        free = spare + new
        stock[ACTIVE] += [free.pop() for _ in range(lacking[ACTIVE])]
        for state in _MADE:
            stock[state] = have[state] + self._put(state, [free.pop() for _ in range(lacking[state])])
        names = {row.uuid: row.name for row in self.stores['compute'].rows(
            sa.select(instances.c.uuid, instances.c.name))}
        for state, group in wanted.items():
            for cell, uuid in zip(group, stock[state], strict=False):
                cell.uuid, cell.server = uuid, names[uuid]
        for cell in cells:
            if cell.way.begins == NEW:
                cell.server = self._name() + (FIRST if cell.way.count > 1 else '')

    def _put(self, state: str, uuids: list[str]) -> list[str]:
        """Bring servers that run into a state, and return them."""
        action, status = _MADE[state]
        for uuid in uuids:
            assert self.client.call('POST', 'compute', f'/servers/{uuid}/action', action).status_code == 202
        for uuid in uuids:
            self.client.wait(uuid, status)
        return uuids

    def _name(self) -> str:
        self._serial += 1
        return f's{self._serial}'

    def _boot(self, **values: Any) -> str:
        body = self.request(name=self._name(), **values)
        return str(self.client.ok('POST', 'compute', '/servers', body)['server']['id'])

    def _idle(self, state: str) -> list[str]:
        """Return servers of a state that nothing goes on with and that are on the first host.

        Lost ones are on none, and resized ones have left the first host.
        """
        vm_state, host = ('error', None) if state == LOST else (state, OTHER if state == RESIZED else VICTIM)
        rows = self.stores['compute'].rows(sa.select(instances).where(
            instances.c.deleted == sa.false(), instances.c.vm_state == vm_state, instances.c.task_state.is_(None)))
        return [row.uuid for row in rows if row.host == host]

    def tidy(self) -> None:
        """Remove servers that no further row can use."""
        rows = self.stores['compute'].rows(sa.select(instances).where(
            instances.c.deleted == sa.false(), sa.or_(instances.c.vm_state == 'error', instances.c.host == OTHER)))
        for row in rows:
            self.client.call('DELETE', 'compute', f'/servers/{row.uuid}')

    # -- cells --

    def ask(self, cells: list[Cell], **values: Any) -> list[Future[Any]]:
        """Hold each cell's point and send its request; return what will be the answers."""
        self.points.hold(cell.point for cell in cells)
        return [self.pool.submit(self._ask, cell, values) for cell in cells]

    def _ask(self, cell: Cell, values: dict[str, Any]) -> requests.Response | requests.RequestException:
        try:
            if cell.way.begins == NEW:
                more = {'min_count': cell.way.count, 'max_count': cell.way.count} if cell.way.count > 1 else {}
                return self.client.call('POST', 'compute', '/servers', self.request(
                    name=cell.server.removesuffix(FIRST), **more, **values))
            if cell.way.ends == GONE:
                return self.client.call('DELETE', 'compute', f'/servers/{cell.uuid}')
            action = json.loads(json.dumps(cell.way.action).replace(LARGER, str(getattr(self, 'larger', ''))))
            return self.client.call('POST', 'compute', f'/servers/{cell.uuid}/action', action)
        except requests.RequestException as error:
            return error

    def reach(self, cells: list[Cell]) -> None:
        """Return when every cell is at its point. :raises AssertionError: names those that never came there."""
        def waiting() -> list[str]:
            return [cell.title for cell in cells if not self.points.reached(cell.point)]
        if not comes_true(lambda: not waiting(), LONG) and (missing := waiting()):
            raise AssertionError(f'never reached: {missing}; open: {self.open_operations()}')

    def outcome(self, cell: Cell) -> Any:
        """Return the last operation of a cell's kind on its server; None when there is none."""
        if not cell.uuid:
            row = self.row(instances, instances.c.name == cell.server)
            cell.uuid = row.uuid if row is not None else ''
        query = sa.select(operations).where(operations.c.instance_uuid == cell.uuid,
                                            operations.c.kind == cell.way.kind).order_by(operations.c.id.desc())
        return self.stores['compute'].row(query)

    def open(self, cells: list[Cell]) -> list[Cell]:
        """Return the cells whose operations have not ended."""
        return [cell for cell in cells if getattr(self.outcome(cell), 'state', 'none') not in (
            'done', 'failed', 'cancelled')]

    def verdict(self, cell: Cell) -> tuple[str, str]:
        """Return how a cell's operation ended ('done' or an error code), and its server's state."""
        row = self.outcome(cell)
        server = self.row(instances, instances.c.uuid == cell.uuid)
        state = 'none' if server is None else GONE if server.deleted else server.vm_state
        if row is None:
            return 'not asked', state
        error = json.loads(row.error) if isinstance(row.error, str) else row.error
        return ('done' if row.state == 'done' else f'{(error or {}).get("code", row.state)}'), state

    def said(self, *names: str) -> str:
        """Return what daemons logged since they started."""
        return ''.join(self[name].said() for name in names)


@contextlib.contextmanager
def started(it: B) -> Iterator[B]:
    """Start one, and remove it at the end."""
    try:
        it.start()
        yield it
    finally:
        it.remove()
