"""The refresh of what servers know of their networks: by events, by the sweep, and never over newer data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from compute import exception
from compute.conductor.network_refresh import NetworkInfoEndpoint, NetworkRefresh
from compute.db import instances
from compute.objects.operation import InstanceUpdate
from tests.unit.conductor.making import USER, Controller


class Site:
    """A conductor with a refresh that looks at busy servers again at once."""

    def __init__(self, controller: Controller) -> None:
        self.controller, self.networks = controller, controller.networks
        self.refresh = NetworkRefresh(controller.conductor, retry_in=0)
        self.endpoint = NetworkInfoEndpoint(self.refresh)

    def server(self) -> str:
        """Return a server that runs with one port."""
        made = self.controller.create()
        place(self.controller, made.id)
        host = self.controller.operation(made.id).host or ''
        self.controller.begin(made.id, host)
        nic = self.networks.create_port(None, self.controller.network, project_id='p1', host=host,
                                        device_id=made.instance_uuid)
        self.controller.finish(made.id, host, InstanceUpdate(vm_state='active', power_state=1, launched=True,
                                                             nics=(nic,)))
        return made.instance_uuid

    def addresses(self, uuid: str) -> list[str]:
        return [ip.address for nic in self.controller.instance(uuid).nics for ip in nic.fixed_ips]

    def port(self, uuid: str) -> str:
        return self.controller.instance(uuid).nics[0].port_id

    def write(self, uuid: str, **values: Any) -> None:
        self.controller.db.transaction(lambda connection: instances.update(connection, uuid, **values))


def place(controller: Controller, number: int) -> None:
    from compute.conductor import create
    create.place(controller.conductor, USER, number)


@pytest.fixture
def site(controller: Controller) -> Iterator[Site]:
    yield Site(controller)


def test_a_changed_address_is_written(site: Site) -> None:
    uuid = site.server()
    site.networks.change_port(site.port(uuid), fixed_ip='10.0.0.77')
    site.endpoint.refresh(USER, servers=(uuid,))
    assert site.addresses(uuid) != ['10.0.0.77'], 'nothing happens in the thread of the message'
    assert site.refresh.run() == 1 and site.addresses(uuid) == ['10.0.0.77']
    assert site.refresh.run() == 0


def test_a_lost_port_is_dropped(site: Site) -> None:
    uuid = site.server()
    site.networks.delete_port(None, site.port(uuid))
    site.refresh.request([uuid])
    site.refresh.run()
    assert site.controller.instance(uuid).nics == ()


def test_what_did_not_change_is_not_written(site: Site) -> None:
    uuid = site.server()
    before = site.controller.instance(uuid)
    site.refresh.request([uuid])
    site.refresh.run()
    assert site.controller.instance(uuid) == before


def test_a_busy_server_is_read_when_its_operation_has_ended(site: Site) -> None:
    uuid = site.server()
    site.networks.change_port(site.port(uuid), fixed_ip='10.0.0.77')
    site.write(uuid, task_state='rebooting')
    assert site.refresh.refresh([uuid]) == {uuid} and site.addresses(uuid) != ['10.0.0.77']
    site.write(uuid, task_state=None)
    assert site.refresh.refresh([uuid]) == set() and site.addresses(uuid) == ['10.0.0.77']


def test_a_busy_server_is_given_up_in_the_end(site: Site) -> None:
    uuid = site.server()
    site.refresh._later({uuid: 0.0})
    assert site.refresh.run() == 0, 'its time is over'


def test_older_data_never_overwrites_newer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address changes again, and another conductor writes that, while this one waits for its answer."""
    uuid = site.server()
    port = site.port(uuid)
    site.networks.change_port(port, fixed_ip='10.0.0.77')
    ask = site.networks.nics_of
    meanwhile = [lambda: (site.networks.change_port(port, fixed_ip='10.0.0.88'),
                          NetworkRefresh(site.controller.conductor).refresh([uuid]))]

    def slowly(device_ids: Any, soon: bool = False) -> Any:
        found = ask(device_ids)
        if meanwhile:
            meanwhile.pop()()
        return found
    monkeypatch.setattr(site.networks, 'nics_of', slowly)
    assert site.refresh.refresh([uuid]) == {uuid}
    assert site.addresses(uuid) == ['10.0.0.88']
    assert site.refresh.refresh([uuid]) == set() and site.addresses(uuid) == ['10.0.0.88']


def test_an_operation_that_began_meanwhile_wins(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = site.server()
    site.networks.change_port(site.port(uuid), fixed_ip='10.0.0.77')
    ask = site.networks.nics_of

    def slowly(device_ids: Any, soon: bool = False) -> Any:
        site.write(uuid, task_state='powering-on')
        return ask(device_ids)
    monkeypatch.setattr(site.networks, 'nics_of', slowly)
    assert site.refresh.refresh([uuid]) == {uuid} and site.addresses(uuid) != ['10.0.0.77']
    site.write(uuid, task_state=None)


def test_an_event_that_comes_while_ports_are_read_has_them_read_again(site: Site,
                                                                      monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = site.server()
    port = site.port(uuid)
    ask, events = site.networks.nics_of, [1]

    def answer_then_change(device_ids: Any, soon: bool = False) -> Any:
        found = ask(device_ids)
        if events:
            events.pop()
            site.networks.change_port(port, fixed_ip='10.0.0.77')
            site.refresh.request([uuid])
        return found
    monkeypatch.setattr(site.networks, 'nics_of', answer_then_change)
    site.refresh.request([uuid])
    assert site.refresh.run() == 2 and site.addresses(uuid) == ['10.0.0.77']


def test_while_network_is_silent_servers_wait(site: Site) -> None:
    uuid = site.server()
    site.refresh = NetworkRefresh(site.controller.conductor, retry_in=600)
    site.networks.refuse(exception.Unavailable('down'))
    site.refresh.request([uuid])
    assert site.refresh.run() == 1
    assert uuid in site.refresh._waiting and site.addresses(uuid)


def test_a_server_that_is_gone_is_forgotten(site: Site) -> None:
    site.refresh.request(['10000000-0000-4000-8000-00000000000f'])
    assert site.refresh.run() == 1 and site.refresh.run() == 0


def test_the_sweep_reads_all_servers_in_batches_with_one_question_each(site: Site) -> None:
    servers = [site.server() for _ in range(5)]
    site.controller.conf.set_override('network_refresh_batch', 2, 'conductor')
    site.networks.change_network(site.controller.network, name='renamed')
    site.networks.asked.clear()
    assert [site.refresh.sweep() for _ in range(4)] == [2, 2, 1, 2]
    assert [len(asked) for asked in site.networks.asked] == [2, 2, 1, 2]
    assert {site.controller.instance(uuid).nics[0].network_name for uuid in servers} == {'renamed'}


def test_one_conductor_at_a_time_sweeps(site: Site) -> None:
    from compute.conductor.conductor import Conductor
    site.server()
    assert site.refresh.sweep() == 1
    assert NetworkRefresh(Conductor(site.controller.cloud)).sweep() == 0  # type: ignore[arg-type]


def test_the_sweep_comes_back_to_a_batch_that_network_did_not_tell(site: Site) -> None:
    uuid = site.server()
    site.networks.change_port(site.port(uuid), fixed_ip='10.0.0.77')
    site.networks.refuse(exception.Unavailable('down'))
    with pytest.raises(exception.Unavailable):
        site.refresh.sweep()
    site.networks.refuse(None)
    assert site.refresh.sweep() == 1 and site.addresses(uuid) == ['10.0.0.77']

