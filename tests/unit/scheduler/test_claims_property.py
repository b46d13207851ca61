"""Whatever comes, in whatever order: a claim never takes more than the limit, and the books stay even."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from compute.db import claims, claims_audit, hosts, server_groups
from compute.db.session import Database
from compute.objects.request_spec import RequestSpec
from tests.contract.db.stores import add_host, add_server, empty, flavor, inventory, open_store

AMOUNT = st.integers(0, 5)


@functools.cache
def store() -> Database:
    folder = tempfile.mkdtemp(prefix='claims-property-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return open_store(f'sqlite:///{folder}/store.sqlite')


class Books(RuleBasedStateMachine):
    """Two hosts, servers of any size, hosts that grow and shrink; a model counts along."""

    def __init__(self) -> None:
        super().__init__()
        self.database = store()
        empty(self.database)
        self.places = [add_host(self.database, name, vcpus=4, memory_mb=8, disk_gb=6) for name in ('h0', 'h1')]
        self.limits = {place: (4, 8, 6) for place in self.places}
        self.held: dict[str, tuple[int, RequestSpec]] = {}
        uuid = self.database.transaction(lambda connection: server_groups.insert(
            connection, project_id='p', user_id='u', name='g', policy='anti-affinity'))
        self.group = self.database.read(lambda connection: server_groups.for_scheduler(connection, uuid))

    def used(self, place: int) -> tuple[int, ...]:
        specs = [spec for where, spec in self.held.values() if where == place]
        return (sum(spec.vcpus for spec in specs), sum(spec.memory_mb for spec in specs),
                sum(spec.disk_gb for spec in specs))

    @rule(vcpus=AMOUNT, memory=AMOUNT, disk=AMOUNT, at=st.integers(0, 1), grouped=st.booleans())
    def claim(self, vcpus: int, memory: int, disk: int, at: int, grouped: bool) -> None:
        place = self.places[at]
        spec = add_server(self.database, flavor(vcpus, memory, disk), group=self.group if grouped else None)
        asked = (vcpus, memory, disk)
        fits = all(not wanted or wanted + have <= most for wanted, have, most in zip(
            asked, self.used(place), self.limits[place], strict=True))
        seated = grouped and any(where == place and each.group for where, each in self.held.values())
        got = self.database.transaction(lambda connection: claims.claim(connection, spec, place))
        assert got == (fits and not seated)
        if got:
            self.held[spec.instance_uuid] = (place, spec)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        # In the order in which they came: names differ from run to run, hypothesis has to meet the same choice again.
        uuid = data.draw(st.sampled_from(list(self.held)))
        assert self.database.transaction(lambda connection: claims.release(connection, uuid))
        del self.held[uuid]

    @rule(at=st.integers(0, 1), vcpus=st.integers(1, 8), memory=st.integers(1, 16), disk=st.integers(0, 12))
    def resize_host(self, at: int, vcpus: int, memory: int, disk: int) -> None:
        self.database.transaction(lambda connection: hosts.update_inventory(
            connection, f'h{at}', inventory(f'h{at}', vcpus, memory, disk)))
        self.limits[self.places[at]] = (vcpus, memory, disk)

    @invariant()
    def books_are_even(self) -> None:
        assert self.database.read(claims_audit.audit) == []
        for host in self.database.read(hosts.all_hosts):
            assert (host.vcpus_used, host.memory_mb_used, host.disk_gb_used) == self.used(host.id)


TestBooks = Books.TestCase
TestBooks.settings = settings(
    max_examples=15, stateful_step_count=20, deadline=None,
    suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no mistake
