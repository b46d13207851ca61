"""The auditor beyond the store: ports, guests, files of guests and wires against servers that the ledger knows."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from compute import exception
from compute.builtin.network.agent.fake import FakePlumbing
from compute.conductor import create
from compute.conductor.audit import RULES
from compute.conductor.audit.auditor import Auditor
from compute.conductor.audit.look import Look
from compute.db import instances, migrations
from compute.objects.finding import AuditReport, Finding
from compute.objects.migration import Migration
from compute.objects.nic import NicRequest
from compute.objects.operation import InstanceUpdate
from compute.objects.value import encode, now
from compute.rpc.worker import Inspection
from compute.virt.driver import Guest
from compute.virt.fake.driver import FakeDriver
from compute.worker.inspection import InspectionEndpoint
from tests.contract.network_agent.making import make_network, make_port
from tests.contract.virt.making import make_conf
from tests.unit.conductor.making import USER, Controller

ALL = frozenset(code for code, rule in RULES.items() if rule.fixable)


class Site:
    """Two hosts with fake hypervisors and fake wires, and a bus that reaches them unless they are ``silent``."""

    def __init__(self, path: str) -> None:
        self.controller = Controller(path)
        self.drivers = {host: FakeDriver(make_conf(), host) for host in 'ab'}
        self.plumbings = {host: FakePlumbing() for host in 'ab'}
        self.silent: set[str] = set()
        self.networks = self.controller.networks
        for host in 'ab':
            self.controller.add_host(host)

    def client(self, interface: Any, server: str) -> Any:
        """Stand for ``Rpc.client``."""
        if server in self.silent:
            raise exception.RpcTimeout(f'{server} did not answer')
        return (InspectionEndpoint(server, self.drivers[server]) if interface is Inspection else
                SimpleNamespace(wires=lambda context: self.plumbings[server].wires()))

    def server(self, host: str = 'a', **changes: Any) -> str:
        """Return a server that runs on a host, with its port and its guest."""
        controller = self.controller
        operation = controller.create(host=host, **changes)
        controller.conductor.submit(create.place, USER, operation.id)
        work = controller.begin(operation.id, host)
        nics = tuple(self.networks.bind_port(None, nic['port_id'], host=host, device_id=operation.instance_uuid)
                     if nic['port_id'] else
                     self.networks.create_port(None, nic['network_id'], project_id='p1', host=host,
                                               device_id=operation.instance_uuid)
                     for nic in work.operation.args['nics'])
        self.drivers[host].prepare(work.instance, lambda: iter(()))
        self.drivers[host].spawn(Guest(instance=work.instance))
        controller.finish(operation.id, host, InstanceUpdate(
            vm_state='active', power_state=1, launched=True, nics=nics))
        return operation.instance_uuid

    def audit(self, fix: Any = (), between: Callable[[], object] = lambda: None) -> AuditReport:
        """Audit all; ``between`` happens between the two looks."""
        look = Look(self.controller.conf, self.controller.db, self.networks, self)
        return Auditor(look, 'me', wait=lambda pause: between()).run(0, fix)

    def only(self, **options: Any) -> Finding:
        """Audit and return the one finding."""
        finding, = self.audit(**options).findings
        return finding

    def forget(self, key: str) -> None:
        """Let a server be gone from the store, and all that it holds there, behind the back of its host."""
        from compute.conductor import delete
        instance = self.controller.instance(key)
        self.controller.db.transaction(lambda connection: delete.forget(connection, instance))


@pytest.fixture
def site(tmp_path: Any) -> Iterator[Site]:
    made = Site(f'{tmp_path}/compute.sqlite')
    yield made
    made.controller.db.dispose()


def test_all_is_well(site: Site) -> None:
    site.server('a')
    site.server('b')
    site.drivers['a'].add_foreign(str(uuid.uuid4()), 'of-somebody-else')
    site.networks.add_port(site.controller.network, project_id='p1')
    report = site.audit()
    assert report.findings == () == report.unseen
    assert {'ports', 'guests', 'wires'} <= set(report.looked_at)


def test_what_goes_on_is_not_judged(site: Site) -> None:
    key = site.server()
    site.controller.delete(key)
    site.drivers['a'].destroy(site.controller.instance(key))
    for port in site.networks.ports:
        site.networks.delete_port(None, port.id)
    other = site.controller.create()
    site.networks.create_port(None, site.controller.network, project_id='p1', device_id=other.instance_uuid, host='b')
    site.drivers['b'].leave_files(other.instance_uuid)
    assert site.audit().findings == ()


@pytest.mark.parametrize('owned', [True, False])
def test_a_port_whose_server_is_gone(site: Site, owned: bool) -> None:
    mine = site.networks.add_port(site.controller.network, project_id='p1')
    key = site.server(**({} if owned else {'networks': (NicRequest(port_id=mine),)}))
    site.drivers['a'].destroy(site.controller.instance(key))
    site.forget(key)
    finding = site.only()
    assert finding.code == 'port_without_server' and finding.about['server'] == key and finding.about['host'] == 'a'
    assert finding.evidence['owned'] is owned
    for port in site.networks._ports.values():
        port['created_at'] = (now() - datetime.timedelta(seconds=30)).isoformat()
    assert site.only(fix=ALL).done is None  # whoever made it may still be about to remove it
    for port in site.networks._ports.values():
        port['created_at'] = (now() - datetime.timedelta(seconds=90)).isoformat()
    assert site.only(fix=ALL).done == ('it was deleted' if owned else 'it was given back to its user')
    assert [(port.id, port.device_id) for port in site.networks.ports] == [(mine, '')]
    assert site.audit().findings == ()


def test_what_users_write_into_their_ports_is_no_finding(site: Site) -> None:
    """Anybody may name any device, also one that does not exist; only Compute binds ports."""
    key = site.server()
    for device in (key, '10000000-0000-4000-8000-0000000000ff'):
        site.networks.add_port(site.controller.network, project_id='p2', device_id=device, device_owner='compute:nova',
                               description='Made by Compute for a server')
    assert site.audit().findings == ()


def test_a_port_that_is_another_servers_by_now_is_left(site: Site) -> None:
    """Between the second look and the fix the port may have been given to a server that lives."""
    mine = site.networks.add_port(site.controller.network, project_id='p1')
    site.networks.bind_port(None, mine, host='a', device_id='gone')
    stale = site.only()
    site.networks.unbind_port(None, mine)
    key = site.server(networks=(NicRequest(port_id=mine),))
    from compute.conductor.audit.ports import Ports
    look = Look(site.controller.conf, site.controller.db, site.networks, site)
    assert Ports().fix(look, stale) == ''
    assert site.networks.port(None, mine).device_id == key


def surplus(site: Site, key: str, seconds: float = 90, **more: Any) -> str:
    """Make a port for a server that it does not have, as a worker does whose successor finished; return its id."""
    nic = site.networks.create_port(None, site.controller.network, **{
        'project_id': 'p1', 'device_id': key, 'host': 'a', **more})
    site.networks._ports[nic.port_id]['created_at'] = (now() - datetime.timedelta(seconds=seconds)).isoformat()
    return nic.port_id


def test_a_port_that_compute_made_and_the_server_does_not_have(site: Site) -> None:
    key = site.server()
    mine, = (port.id for port in site.networks.ports)
    left = surplus(site, key, seconds=30)
    finding = site.only(fix=site.controller.conf.conductor.audit_fix)
    assert (finding.code, finding.done) == ('port_surplus', None)  # whoever made it may still be about to report it
    assert finding.about == {'port': left, 'server': key, 'host': 'a'}
    site.networks.delete_port(None, left)
    surplus(site, key)
    assert site.only(fix=site.controller.conf.conductor.audit_fix).done == 'it was deleted'
    assert [port.id for port in site.networks.ports] == [mine] and site.audit().findings == ()


def test_ports_that_may_become_a_servers_are_no_surplus(site: Site) -> None:
    """One that a user made, one that is not bound, those of a server with which something goes on or that failed."""
    key, busy, failed = site.server(), site.server(), site.server()
    site.networks.add_port(site.controller.network, project_id='p1', device_id=key, device_owner='compute:nova')
    yours = site.networks.add_port(site.controller.network, project_id='p1')
    site.networks.bind_port(None, yours, host='a', device_id=key)
    for server, more in ((key, {'host': None}), (busy, {}), (failed, {})):
        surplus(site, server, **more)
    site.controller.delete(busy)
    site.controller.db.transaction(lambda connection: instances.update(connection, failed, vm_state='error'))
    assert site.audit(fix=ALL).findings == ()


@pytest.mark.parametrize('change', ['nic', 'operation', 'gone', 'free', 'user'])
def test_a_surplus_port_that_is_none_when_it_is_to_be_deleted_is_left(site: Site, change: str) -> None:
    from compute.conductor.audit.ports import Ports
    key = site.server()
    left = surplus(site, key)
    stale = site.only()
    if change == 'nic':
        nics = tuple(each.nic for each in site.networks.nics_of([key])[key])
        site.controller.db.transaction(lambda connection: instances.update(connection, key, nics=encode(nics)))
    elif change == 'operation':
        site.controller.delete(key)
    elif change == 'gone':
        site.networks.delete_port(None, left)
    elif change == 'free':
        site.networks.unbind_port(None, left)
    else:
        site.networks.change_port(left, description='my own now')
    before = site.networks.ports
    look = Look(site.controller.conf, site.controller.db, site.networks, site)
    assert Ports().fix(look, stale) == '' and site.networks.ports == before


def test_ports_that_a_server_lacks(site: Site) -> None:
    first, second = site.server(), site.server()
    ports = {port.device_id: port.id for port in site.networks.ports}
    site.networks.delete_port(None, ports[first])
    site.networks._ports[ports[second]]['binding:host_id'] = 'b'
    found = {finding.code: finding for finding in site.audit().findings}
    assert set(found) == {'port_missing', 'port_elsewhere'}
    assert found['port_missing'].about == {'server': first, 'port': ports[first], 'host': 'a'}
    assert found['port_elsewhere'].evidence['port_host'] == 'b'


def test_a_guest_that_the_ledger_does_not_know_is_reported_and_never_touched(site: Site) -> None:
    key = site.server()
    for port in site.networks.ports:
        site.networks.delete_port(None, port.id)
    site.forget(key)
    finding = site.only(fix=ALL)
    assert finding.code == 'guest_unknown' and not finding.fixable and finding.done is None
    assert finding.about == {'guest': key, 'host': 'a'} and finding.evidence['power_state'] == 1
    assert [guest.uuid for guest in site.drivers['a'].guests()] == [key]


def test_a_guest_on_two_hosts(site: Site) -> None:
    key = site.server()
    instance = site.controller.instance(key)
    site.drivers['b'].prepare(instance, lambda: iter(()))
    site.drivers['b'].spawn(Guest(instance=instance))
    found = {finding.code: finding for finding in site.audit(fix=ALL).findings}
    assert set(found) == {'guest_twice', 'guest_elsewhere'}
    assert found['guest_twice'].evidence['power_states'] == {'a': 1, 'b': 1}
    assert found['guest_elsewhere'].about['host'] == 'b' and len(site.drivers['b'].guests()) == 1


def test_a_server_without_a_guest(site: Site) -> None:
    key = site.server()
    site.drivers['a'].destroy(site.controller.instance(key))
    finding = site.only()
    assert finding.code == 'guest_missing' and finding.about == {'server': key, 'host': 'a'}
    site.silent = {'a'}
    report = site.audit()
    assert report.findings == () and [(each.what, each.name) for each in report.unseen] == [('host', 'a')]


def test_files_of_a_guest_that_is_not_there(site: Site) -> None:
    stray, key = str(uuid.uuid4()), site.server('a')
    site.drivers['a'].leave_files(stray)
    site.drivers['b'].leave_files(key)
    found = {finding.about['guest']: finding for finding in site.audit().findings}
    assert {finding.code for finding in found.values()} == {'disk_unknown'}
    assert (found[stray].about['host'], found[key].about['host']) == ('a', 'b')
    assert found[key].evidence['server_host'] == 'a'


def test_files_that_are_set_aside_are_of_a_move_that_waits(site: Site) -> None:
    moved, stray = site.server('a'), site.server('a')
    for key in (moved, stray):
        instance = site.controller.instance(key)
        site.drivers['b'].prepare(instance, lambda image_id: iter(()))
        site.drivers['b'].spawn(Guest(instance=instance))
        site.drivers['b'].power_off(instance, 0)
        site.drivers['b'].moves.set_aside(instance)
    site.controller.db.transaction(lambda connection: migrations.insert(connection, Migration(
        uuid='m', instance_uuid=moved, project_id='p1', user_id='u1', operation_id=1, type='resize', status='finished',
        source_host='b', source_node='b', old_flavor=instance.flavor, new_flavor=instance.flavor,
        old_vm_state='active')))
    finding = site.only()
    assert finding.code == 'aside_unknown' and finding.about == {'guest': stray, 'host': 'b'}
    site.drivers['b'].moves.drop_aside(site.controller.instance(stray))
    assert site.audit().findings == ()
    site.drivers['b'].moves.drop_aside(site.controller.instance(moved))
    finding = site.only()
    assert finding.code == 'aside_missing' and finding.about == {'server': moved, 'host': 'b'}
    site.silent = {'b'}
    assert site.audit().findings == ()


def test_hosts_that_are_down_are_not_asked_and_named(site: Site) -> None:
    site.controller.down('b')
    report = site.audit()
    assert report.findings == ()
    assert [each.name for each in report.unseen] == ['b'] and 'not heard since' in report.unseen[0].reason


def test_wires_and_ports(site: Site) -> None:
    site.networks.agents = {'a', 'b'}
    key = site.server('a')
    port, = site.networks.ports
    finding = site.only()
    assert finding.code == 'wire_missing' and finding.about == {'host': 'a', 'port': port.id, 'server': key}
    stray = make_port(2)
    site.plumbings['a'].sync([make_network(make_port(1, id=port.id))])
    site.plumbings['b'].sync([make_network(make_port(1, id=port.id), stray)])
    found = {finding.about['port']: finding for finding in site.audit().findings}
    assert {(finding.code, finding.about['host']) for finding in found.values()} == {('wire_unknown', 'b')}
    assert found[port.id].evidence['port_host'] == 'a' and found[stray.id].evidence['port_host'] is None
    site.silent = {'b'}
    report = site.audit()
    assert report.findings == ()
    assert {(each.what, each.name) for each in report.unseen} == {('network agent', 'b'), ('host', 'b')}


def test_a_network_service_that_does_not_answer_proves_nothing(site: Site) -> None:
    site.server()
    site.networks.refuse(exception.Unavailable('no network'))
    report = site.audit()
    assert report.findings == () and {each.name for each in report.unseen} == {'ports', 'wires'}


def test_what_is_mended_between_the_looks_is_no_finding(site: Site) -> None:
    mine = site.networks.add_port(site.controller.network, project_id='p1')
    site.networks.bind_port(None, mine, host='a', device_id='gone')
    assert site.audit(between=lambda: site.networks.unbind_port(None, mine)).findings == ()


def test_a_server_that_moved_is_judged_where_it_is(site: Site) -> None:
    key = site.server('a')
    site.controller.db.transaction(lambda connection: instances.update(connection, key, host='b'))
    codes = {finding.code for finding in site.audit().findings}
    assert codes == {'guest_missing', 'guest_elsewhere', 'port_elsewhere', 'claim_elsewhere', 'server_without_claim'}
