"""The real ledger and its model, driven side by side: whoever speaks, in whatever order, late, twice, or back from the
dead.

Workers and conductors of every incarnation that there ever was go on speaking. Reapers look, and act on what they saw
when others have moved it meanwhile. After each step the rows are what the model says, and at the end, when time passes
and somebody sweeps, every operation ends.
"""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, ClassVar

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from oslo_config import cfg

from compute import conf as options
from compute import exception
from compute.clients.fake.network import FakeNetworks
from compute.conductor.ending import end_failed
from compute.conductor.reaper import Reaper
from compute.conductor.reports import ReportsEndpoint
from compute.control import operation as control
from compute.control.instances import delete
from compute.db import instances, operations
from compute.db.session import Database
from compute.db.tables import operations as table
from compute.objects.instance import Instance
from compute.objects.kinds.stop import STOP
from compute.objects.operation import InstanceUpdate, OperationError, Work
from compute.objects.registration import HostReport
from tests.contract.db.clock import START, Clock
from tests.contract.db.ledger_model import Actor, Entry, Model
from tests.contract.db.stores import empty, flavor, inventory
from tests.rpc_recorder import RecordedRpc
from tests.unit.conductor.making import USER, AtOnce

HOSTS, SERVERS = ('a', 'b'), 4
NUMBER = st.integers(0, 10 ** 6)
WRONG = OperationError(code='wrong', message='It went wrong')


class Ledger(RuleBasedStateMachine):
    """A subclass names the ``store``. Choices are numbers, taken modulo what there is: ids differ from run to run."""

    store: ClassVar[Callable[[], Database]]

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.model = Clock().install(), Model()
        self.db = type(self).store()
        empty(self.db)
        conf = options.register(cfg.ConfigOpts())
        conf([], project='compute', default_config_files=[], default_config_dirs=[])
        self.networks = FakeNetworks()
        self.cloud: Any = SimpleNamespace(conf=conf, db=self.db, rpc=RecordedRpc(), networks=self.networks)
        self.workers: list[tuple[str, str]] = []
        self.conductors: list[AtOnce] = []
        self.hands: list[tuple[AtOnce, Work]] = []
        self.seen: list[tuple[AtOnce, Any, Entry]] = []
        self.said: list[Callable[[], None]] = []
        self.servers: list[str] = []
        self.ended: dict[int, Any] = {}

    @initialize()
    def begin_the_world(self) -> None:
        for number in range(2):
            self._conductor(f'c{number}')
        for host in HOSTS:
            self._register(host)
        self.servers = [self._server(HOSTS[number % 2]) for number in range(SERVERS)]

    # -- what users ask for --

    @rule(which=NUMBER)
    def stop(self, which: int) -> None:
        key = self.servers[which % SERVERS]
        if not any(entry.server == key for entry in self.model.open()):
            self._opened(control.run(self.cloud, USER, self._instance(key), STOP), self._instance(key).host)

    @rule(which=NUMBER)
    def delete(self, which: int) -> None:
        key = self.servers[which % SERVERS]
        running = [entry for entry in self.model.open() if entry.server == key]
        operation = delete.delete(self.cloud, USER, self._instance(key))
        if any(entry.kind == 'delete' for entry in running):
            assert operation.id in self.model.entries  # asked twice, done once
            return
        for entry in running:
            self.model.cancel(entry.number)
        self._opened(operation, None)

    # -- hosts --

    @rule(at=st.sampled_from(HOSTS))
    def worker_starts(self, at: str) -> None:
        self._register(at)

    @rule(who=NUMBER)
    def heartbeat(self, who: int) -> None:
        self._beat(who, *self.workers[who % len(self.workers)])

    def _beat(self, who: int, host: str, incarnation: str) -> None:
        numbers = tuple(self.model.entries)
        lost = self.model.heartbeat(host, incarnation, numbers)
        said = self._refused(lambda: self._reports(who).heartbeat(
            USER, host=host, incarnation=incarnation, operations=numbers))
        assert (None if said is exception.Stale else set(said)) == lost

    @precondition(lambda self: self.model.entries)
    @rule(who=NUMBER, which=NUMBER, what=st.sampled_from(('begin', 'begin', 'progress', 'finish', 'fail')))
    def report(self, who: int, which: int, what: str) -> None:
        """Any worker that ever was speaks of any operation that ever was."""
        host, incarnation = self.workers[-1 - who % len(self.workers)]
        number = list(self.model.entries)[-1 - which % len(self.model.entries)]
        self._say(what, who, host, incarnation, number)
        self.said.append(lambda: self._say(what, who, host, incarnation, number))

    @precondition(lambda self: self.said)
    @rule(which=NUMBER)
    def report_comes_again(self, which: int) -> None:
        """A message that was delivered twice, or late."""
        self.said[-1 - which % min(5, len(self.said))]()

    @precondition(lambda self: self.model.open())
    @rule(which=NUMBER, ends=st.booleans())
    def work_goes_as_it_should(self, which: int, ends: bool) -> None:
        """The host of an operation begins it, and may end it."""
        entry = self.model.open()[which % len(self.model.open())]
        if entry.host is not None:
            for what in ('begin', 'progress', 'finish')[:3 if ends else 2]:
                self._say(what, 0, entry.host, self.model.current[entry.host], entry.number)

    # -- conductors --

    @rule(who=NUMBER)
    def conductor_starts_anew(self, who: int) -> None:
        """The one before it may still live, and act on what it holds."""
        self._conductor(self.conductors[who % len(self.conductors)].host)

    @precondition(lambda self: self.model.open())
    @rule(who=NUMBER, which=NUMBER)
    def conductor_leases(self, who: int, which: int) -> None:
        conductor = self.conductors[-1 - who % len(self.conductors)]
        number = self.model.open()[which % len(self.model.open())].number
        work = conductor.lease(number)
        assert (work is not None) == self.model.lease(_actor(conductor), number)
        if work is not None:
            self.hands.append((conductor, work))

    @precondition(lambda self: self.hands)
    @rule(which=NUMBER, how=st.sampled_from(('hand over', 'give back', 'fail', 'stop', 'beat')))
    def conductor_goes_on(self, which: int, how: str) -> None:
        """With what it had in its hands, however long ago that was."""
        conductor, work = self.hands[-1 - which % len(self.hands)]
        actor, number = _actor(conductor), work.operation.id
        if how == 'hand over':
            self.db.transaction(lambda connection: conductor.holds(connection, number) and operations.hand_over(
                connection, number, self.model.entries[number].place, 15))
            self.model.hand_over(actor, number)
        elif how == 'give back':
            conductor.release(work.operation, retry_in=5)
            self.model.give_back(actor, number)
        elif how == 'fail':
            end_failed(conductor, work, WRONG)
            self.model.end_failed(actor, number)
        elif how == 'stop':
            count = self.db.transaction(lambda connection: operations.hand_back(
                connection, (number,), conductor.owner, conductor.incarnation))
            assert count == self.model.hand_back(actor, number)
        else:
            kept = self.db.transaction(lambda connection: operations.renew(
                connection, (number,), conductor.owner, conductor.incarnation, 30))
            assert {number} - kept == self.model.renew(actor, (number,))

    @rule(who=NUMBER)
    def reaper_looks(self, who: int) -> None:
        found = self.db.read(lambda connection: operations.overdue(connection, 100))
        expected = self.model.snapshot()
        assert [operation.id for operation in found] == [entry.number for entry in expected]
        conductor = self.conductors[-1 - who % len(self.conductors)]
        self.seen += [(conductor, *pair) for pair in zip(found, expected, strict=True)]

    @precondition(lambda self: self.seen)
    @rule(which=NUMBER)
    def reaper_acts(self, which: int) -> None:
        """On what it saw, with another reaper at the same work."""
        conductor, operation, entry = self.seen[-1 - which % len(self.seen)]
        Reaper(conductor)._take_up(operation)
        self.model.take_up(_actor(conductor), entry)
        self._replace_deleted()

    @precondition(lambda self: self.model.open())
    @rule(seconds=st.sampled_from((16, 31, 700)), moved=st.sampled_from(('not', 'begin', 'finish')))
    def sweeps_meet(self, seconds: int, moved: str) -> None:
        """Two reapers saw the same, and hosts that were heard may go on with it before either acts."""
        self.time_passes(seconds)
        for host in HOSTS:
            self._beat(0, host, self.model.current[host])
        mark = len(self.seen)
        for who in range(2):
            self.reaper_looks(who)
        found = self.seen[mark:]
        for _, _, entry in found[:len(found) // 2]:
            for what in {'not': (), 'begin': ('begin',), 'finish': ('begin', 'finish')}[moved]:
                if entry.host is not None:
                    self._say(what, 0, entry.host, self.model.current[entry.host], entry.number)
        for _ in found:
            self.reaper_acts(len(self.seen) - 1 - mark)
            mark += 1

    @rule(seconds=st.sampled_from((1, 4, 14, 16, 29, 31, 61, 700)))
    def time_passes(self, seconds: int) -> None:
        self.clock.seconds += seconds
        self.model.now = self.clock.seconds

    @precondition(lambda self: self.model.entries)
    @rule(who=NUMBER, stops=st.booleans())
    def anybody_renews_or_hands_back_everything(self, who: int, stops: bool) -> None:
        """The bare queries, by whoever ever was: they may touch only what is the actor's."""
        actors = [*map(_actor, self.conductors), *((f'nova-compute@{host}', one) for host, one in self.workers)]
        actor, numbers = actors[who % len(actors)], tuple(self.model.entries)
        if stops:
            count = self.db.transaction(lambda connection: operations.hand_back(connection, numbers, *actor))
            assert count == sum(self.model.hand_back(actor, number) for number in numbers)
        else:
            kept = self.db.transaction(lambda connection: operations.renew(connection, numbers, *actor, 30))
            assert set(numbers) - kept == self.model.renew(actor, numbers)

    # -- what must hold --

    @invariant()
    def rows_are_what_the_model_says(self) -> None:
        rows = {row.id: row for row in self.db.rows(sa.select(table).order_by(table.c.id))}
        assert set(rows) == set(self.model.entries)
        for number, entry in self.model.entries.items():
            row = rows[number]
            holder = None if row.owner is None else (row.owner, row.incarnation)
            assert (row.kind, row.state, row.host, holder, _seconds(row.lease_until)) == (
                entry.kind, entry.state, entry.host, entry.holder, entry.until), row
            if not entry.open:
                assert self.ended.setdefault(number, row) == row, 'an operation that ended has changed'

    @invariant()
    def nobody_works_on_what_another_works_on(self) -> None:
        for entry in self.model.open():
            assert len(self.model.believers(entry.number)) <= 1, entry

    def teardown(self) -> None:
        """Nothing is lost: with workers, a conductor that sweeps, and time, everything ends."""
        try:
            if self.servers and all(number in self.model.entries for number in self.ended):
                self._settle()
        finally:
            self.clock.remove()

    def _settle(self) -> None:
        for host in HOSTS:
            self._register(host)
        reaper = Reaper(self._conductor('c9'))
        for _ in range(6):
            self.clock.seconds += 31
            self.model.now = self.clock.seconds
            for host, incarnation in self.workers[-len(HOSTS):]:
                self._reports(0).heartbeat(USER, host=host, incarnation=incarnation, operations=())
            reaper.sweep()
            for row in self.db.rows(sa.select(table).where(table.c.state.in_(('queued', 'running')),
                                                           table.c.host.is_not(None))):
                who = {'host': row.host, 'incarnation': self.model.current[row.host], 'operation_id': row.id}
                self._reports(0).begin(USER, **who)
                self._reports(0).finish(USER, leg=0, update=InstanceUpdate(), **who)
        left = self.db.rows(sa.select(table.c.id, table.c.state).where(table.c.state.in_(('queued', 'running'))))
        busy = [key for key in self.servers if self._instance(key).task_state is not None]
        assert not left and not busy

    # -- inside --

    def _say(self, what: str, who: int, host: str, incarnation: str, number: int) -> None:
        reports, names = self._reports(who), {'host': host, 'incarnation': incarnation, 'operation_id': number}
        entry = self.model.entries[number]
        if what == 'begin':
            said = self._refused(lambda: reports.begin(USER, **names))
            assert (said is not exception.Stale) == self.model.begin(host, incarnation, number)
            return
        conductor = reports._conductor
        more = {'progress': {'stage': 'deleting' if entry.kind == 'delete' else 'powering_off'},
                'finish': {'update': InstanceUpdate(), 'leg': 0}, 'fail': {'error': WRONG}}[what]
        said = self._refused(lambda: getattr(reports, what)(USER, **names, **more))
        expected = {'progress': lambda: self.model.holds(host, incarnation, number),
                    'finish': lambda: self.model.finish(host, incarnation, number),
                    'fail': lambda: self.model.fail(host, incarnation, number, _actor(conductor))}[what]()
        assert (said is not exception.Stale) == expected, f'{what} of {names}'
        self._replace_deleted()

    @staticmethod
    def _refused(function: Callable[[], Any]) -> Any:
        """Return what a call answers; ``Stale`` when it is refused."""
        try:
            return function()
        except exception.Stale:
            return exception.Stale

    def _opened(self, operation: Any, host: str | None) -> None:
        instance = self._instance(operation.instance_uuid)
        self.model.entries[operation.id] = Entry(
            number=operation.id, kind=operation.kind, server=instance.uuid, place=instance.host or '', host=host,
            until=self.model.now + 15, deadline=_seconds(operation.deadline_at) or 0)

    def _register(self, host: str) -> None:
        incarnation = str(uuid.uuid4())
        self.workers.append((host, incarnation))
        answer = self._reports(0).register(USER, inventory=inventory(host), report=HostReport(
            host=host, incarnation=incarnation, node_uuid=str(uuid.uuid5(uuid.NAMESPACE_DNS, host))))
        assert {ref.operation_id for ref in answer.held} == self.model.register(host, incarnation)

    def _conductor(self, host: str) -> AtOnce:
        conductor = AtOnce(SimpleNamespace(**{**vars(self.cloud), 'host': host}))  # type: ignore[arg-type]
        conductor.hearing.can_judge = lambda: True  # type: ignore[method-assign]
        self.conductors.append(conductor)
        return conductor

    def _reports(self, who: int) -> ReportsEndpoint:
        return ReportsEndpoint(self.conductors[who % len(self.conductors)])

    def _server(self, host: str) -> str:
        server = Instance(uuid=str(uuid.uuid4()), project_id='p1', user_id='u', name='s', flavor=flavor(), host=host,
                          vm_state='active', launched_at=START, created_at=START, updated_at=START)
        self.db.transaction(lambda connection: instances.insert(connection, server))
        return server.uuid

    def _instance(self, key: str) -> Instance:
        found = self.db.read(lambda connection: instances.find(connection, key, deleted=True))
        assert found is not None
        return found

    def _replace_deleted(self) -> None:
        for number, key in enumerate(self.servers):
            if self._instance(key).deleted:
                self.servers[number] = self._server(HOSTS[number % 2])


def _actor(conductor: AtOnce) -> Actor:
    return conductor.owner, conductor.incarnation


def _seconds(time: datetime.datetime | None) -> int | None:
    return None if time is None else int((time - START).total_seconds())
