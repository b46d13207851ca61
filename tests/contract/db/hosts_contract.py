"""What the queries of hosts and server groups promise on every database; a subclass gives the ``database`` fixture."""

from __future__ import annotations

import datetime
import uuid

import pytest

from compute import exception
from compute.db import claims, claims_audit, hosts, instances, operations, server_groups, services
from compute.db.session import Database
from compute.objects.host import Host
from compute.objects.operation import Operation
from compute.objects.value import now
from tests.contract.db.stores import add_host, add_server, inventory


def find(database: Database, name: str) -> Host:
    found = database.read(lambda connection: hosts.find(connection, name))
    assert found is not None
    return found


class HostsContract:
    """Hosts one, two ... are registered by each test."""

    def test_a_host_is_read_as_it_was_reported(self, database: Database) -> None:
        add_host(database, 'one', told={'availability_zone': 'east', 'reserved_vcpus': 1}, vcpus=8,
                 architectures=('x86_64', 'i686'), cpu_info={'model': 'EPYC'}, traits=('A',), uptime='1 day',
                 hypervisor_type='QEMU', host_ip='10.0.0.1')
        found = find(database, 'one')
        assert (found.availability_zone, found.vcpus, found.reserved_vcpus) == ('east', 8, 1)
        assert (found.architectures, found.cpu_info, found.traits) == (('x86_64', 'i686'), {'model': 'EPYC'}, ('A',))
        assert (found.uptime, found.host_ip, found.generation) == ('1 day', '10.0.0.1', 1)
        assert found.last_seen_at is not None and not found.service_disabled and found.service_uuid

    def test_a_host_that_starts_again_keeps_id_and_use(self, database: Database) -> None:
        first = add_host(database, 'one')
        spec = add_server(database)
        database.transaction(lambda connection: claims.claim(connection, spec, first))
        before = find(database, 'one')
        assert add_host(database, 'one', told={'node_uuid': before.uuid}, vcpus=64) == first
        after = find(database, 'one')
        assert (after.vcpus, after.vcpus_used, after.generation) == (64, 1, before.generation + 1)

    def test_a_known_node_under_another_name_is_refused(self, database: Database) -> None:
        add_host(database, 'one')
        node = find(database, 'one').uuid
        with pytest.raises(exception.Conflict, match='is known as host one; it now calls itself two') as caught:
            add_host(database, 'two', told={'node_uuid': node})
        assert caught.value.code == 'host_identity'

    def test_a_known_name_on_another_node_is_refused(self, database: Database) -> None:
        add_host(database, 'one')
        with pytest.raises(exception.Conflict, match='Host name one belongs to another node') as caught:
            add_host(database, 'one')
        assert caught.value.code == 'host_identity'

    def test_new_inventory_keeps_reserve_and_ratio(self, database: Database) -> None:
        place = add_host(database, 'one', told={'cpu_allocation_ratio': 2.0, 'reserved_memory_mb': 96})
        database.transaction(lambda connection: hosts.update_inventory(
            connection, 'one', inventory('one', vcpus=1, memory_mb=608)))
        spec = add_server(database)
        assert database.transaction(lambda connection: claims.claim(connection, spec, place))
        other = add_server(database)
        assert not database.transaction(lambda connection: claims.claim(connection, other, place))

    def test_inventory_of_a_stranger_is_refused(self, database: Database) -> None:
        with pytest.raises(exception.NotFound):
            database.transaction(lambda connection: hosts.update_inventory(connection, 'x', inventory('x')))

    def test_failed_builds_are_counted_and_forgotten(self, database: Database) -> None:
        add_host(database, 'one')
        for _ in range(2):
            database.transaction(lambda connection: hosts.bump_failed_builds(connection, 'one'))
        assert (find(database, 'one').failed_builds, find(database, 'one').generation) == (2, 3)
        for _ in range(2):
            database.transaction(lambda connection: hosts.note_success(connection, 'one'))
        assert (find(database, 'one').failed_builds, find(database, 'one').generation) == (0, 4)

    def test_only_what_changed_is_read(self, database: Database) -> None:
        for name in ('one', 'two'):
            add_host(database, name)
        begun = now()
        assert database.read(lambda connection: hosts.changed_since(connection, begun)) == []
        database.transaction(lambda connection: hosts.bump_failed_builds(connection, 'two'))
        changed = database.read(lambda connection: hosts.changed_since(connection, begun))
        assert [each.host for each in changed] == ['two']
        known = {changed[0].id: changed[0].generation}
        assert database.read(lambda connection: hosts.changed_since(connection, begun, known)) == []

    def test_liveness_tells_heartbeats_and_switches(self, database: Database) -> None:
        ids = [find(database, name).service_id for name in ('one', 'two') if add_host(database, name)]
        begun = now()
        assert database.read(lambda connection: hosts.liveness(connection, begun)) == []
        database.transaction(lambda connection: services.touch(connection, 'one', 'nova-compute', 'i', ()))
        database.transaction(lambda connection: services.update(connection, ids[1], disabled=True))
        heard = database.read(lambda connection: hosts.liveness(connection, begun))
        assert {(row.service_id, bool(row.disabled)) for row in heard} == {(ids[0], False), (ids[1], True)}

    def test_a_host_without_its_service_counts_as_down(self, database: Database) -> None:
        add_host(database, 'one')
        service = find(database, 'one').service_id
        database.transaction(lambda connection: services.delete(connection, service))
        assert find(database, 'one').forced_down

    def test_get_by_each_key(self, database: Database) -> None:
        place = add_host(database, 'one')
        found = find(database, 'one')
        for key in (place, str(place), found.uuid, found.uuid.upper(), 'one'):
            assert database.read(lambda connection, key=key: hosts.get(connection, key)) == found
        for key in (place + 1, '9' * 40, str(uuid.uuid4()), 'two', 'x' * 300):
            with pytest.raises(exception.NotFound):
                database.read(lambda connection, key=key: hosts.get(connection, key))

    def test_pages_and_patterns(self, database: Database) -> None:
        for name in ('a1', 'b_1', 'b2', 'B3'):
            add_host(database, name)

        def page(**query: object) -> list[str]:
            return [each.host for each in database.read(
                lambda connection: hosts.page(connection, **query))]  # type: ignore[arg-type]
        assert page() == ['a1', 'b_1', 'b2', 'B3']
        assert page(limit=2) == ['a1', 'b_1']
        assert page(limit=2, marker=find(database, 'b_1').uuid) == ['b2', 'B3']
        assert page(marker=find(database, 'b2').id) == ['B3']
        assert page(pattern='b') == ['b_1', 'b2', 'B3']
        assert page(pattern='_') == ['b_1']
        assert page(pattern='%') == []
        with pytest.raises(exception.Invalid, match='marker'):
            page(marker=str(uuid.uuid4()))

    def test_zones(self, database: Database) -> None:
        for name, zone in (('one', 'east'), ('two', 'west'), ('three', 'east')):
            add_host(database, name, told={'availability_zone': zone})
        found = database.read(hosts.zones)
        assert {zone: [each.host for each in each_hosts] for zone, each_hosts in found.items()} == {
            'east': ['one', 'three'], 'west': ['two']}
        assert database.read(hosts.zone_names) == ['east', 'west']

    def test_exists(self, database: Database) -> None:
        for name, zone in (('one', 'east'), ('two', 'West'), ('three', 'west')):
            add_host(database, name, told={'availability_zone': zone})

        def there(**asked: str) -> bool:
            return database.read(lambda connection: hosts.exists(connection, **asked))
        node = find(database, 'one').node
        assert there(zone='east') and there(zone='west') and there(zone='West')
        assert there(host='one') and there(node=node) and there(host='one', node=node)
        assert not there(zone='EAST') and not there(zone='north') and not there(host='ONE')
        assert not there(host='two', zone='east')

    def test_io_ops_counts_open_builds_by_host(self, database: Database) -> None:
        for kind, host, state in (
                ('create', 'one', 'running'), ('create', 'one', 'queued'), ('reboot', 'one', 'running'),
                ('create', 'two', 'done'), ('create', None, 'running')):
            opened = Operation(request_id='r', kind=kind, instance_uuid='i', host=host, state=state,
                               deadline_at=now() + datetime.timedelta(hours=1))
            database.transaction(lambda connection, opened=opened: operations.insert(connection, opened))
        assert database.read(hosts.io_ops) == {'one': 2}

    def test_delete(self, database: Database) -> None:
        add_host(database, 'one')
        database.transaction(lambda connection: hosts.delete(connection, 'one'))
        assert database.read(lambda connection: hosts.find(connection, 'one')) is None


class GroupsContract:
    """Server groups."""

    def test_members_and_their_limit(self, database: Database) -> None:
        uuid_ = database.transaction(lambda connection: server_groups.insert(
            connection, project_id='p', user_id='u', name='g', policy='affinity'))
        group = database.read(lambda connection: server_groups.for_scheduler(connection, uuid_))
        specs = [add_server(database, group=group) for _ in range(2)]
        names = [spec.instance_uuid for spec in specs]
        assert database.read(lambda connection: server_groups.members(connection, uuid_)) == names

        def add(limit: int) -> None:
            database.transaction(lambda connection: server_groups.add_members(
                connection, uuid_, [str(uuid.uuid4())], {'server_group_members': limit}))
        for limit in (-1, 3):
            add(limit)
        with pytest.raises(exception.OverQuota, match='already used 2 of 2'):
            add(2)
        database.transaction(lambda connection: instances.update(connection, names[0], deleted=True))
        add(2)

    def test_an_unknown_group_is_refused(self, database: Database) -> None:
        with pytest.raises(exception.Invalid) as caught:
            database.transaction(lambda connection: server_groups.add_members(connection, 'x', ['a'], {}))
        assert caught.value.code == 'group_not_found'
        assert database.read(lambda connection: server_groups.for_scheduler(connection, 'x')) is None

    def test_a_deleted_group_leaves_its_servers_where_they_are(self, database: Database) -> None:
        place = add_host(database, 'one')
        uuid_ = database.transaction(lambda connection: server_groups.insert(
            connection, project_id='p', user_id='u', name='g', policy='anti-affinity'))
        spec = add_server(database, group=database.read(
            lambda connection: server_groups.for_scheduler(connection, uuid_)))
        database.transaction(lambda connection: claims.claim(connection, spec, place))
        database.transaction(lambda connection: server_groups.delete(connection, uuid_))
        assert database.read(claims_audit.audit) == []
        assert find(database, 'one').running_vms == 1
        with pytest.raises(exception.NotFound):
            database.transaction(lambda connection: server_groups.delete(connection, uuid_))
