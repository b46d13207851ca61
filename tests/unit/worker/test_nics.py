"""Guests start with the ports that their servers have then."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import pytest

from compute import context as ctx
from compute import exception, states
from compute.objects.instance import Instance
from compute.objects.nic import NicRequest
from compute.objects.registration import Registration
from compute.virt.driver import Guest
from compute.worker import nics
from compute.worker import resume_guests as resume
from compute.worker.periodic.power_sync import PowerSync
from compute.worker.recovery import Recovery
from tests.unit.worker.test_operations import UUID, Host
from tests.unit.worker.test_resume_guests import Observing, eventually

# Kinds that start a guest, each with the driver's method for it.
HOW = {'start': 'power_on', 'reboot_hard': 'reboot_hard', 'reboot': 'reboot_soft'}


class Bed(Host):
    """A host with a server that has two ports, the second one its user's; ``started`` holds what guests began with."""

    def __init__(self) -> None:
        super().__init__()
        self.mine = self.networks.add_port(self.network, project_id='p1')
        ended = self.run(self.work('create', nics=(NicRequest(network_id=self.network),
                                                   NicRequest(port_id=self.mine, tag='front'))))
        assert ended is not None
        self.server: Instance = self.instance(nics=ended[1].nics, vm_state=states.ACTIVE)
        self.started: list[Guest] = []
        self.methods: set[str] = set()
        for name in HOW.values():
            setattr(self.driver, name, self.recording(name, getattr(self.driver, name)))

    def recording(self, name: str, method: Any) -> Any:
        def record(guest: Guest, *more: Any) -> Any:
            self.started.append(guest)
            self.methods.add(name)
            return method(guest, *more)
        return record

    def act(self, kind: str) -> Any:
        """Run an operation; return how it ended, with the update or the error."""
        if kind == 'start':
            self.driver.power_off(self.server, 0)
        ended = self.run(self.work(kind, self.server, args={}))
        assert ended is not None and self.methods <= {HOW[kind]}
        return ended


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.mark.parametrize('kind', HOW)
def test_a_guest_starts_without_a_port_that_is_gone(bed: Bed, kind: str) -> None:
    bed.networks.delete_port(None, bed.mine)
    how, update = bed.act(kind)
    kept = bed.server.nics[:1]
    assert how == 'finish' and update.nics == kept
    assert [guest.nics for guest in bed.started] == [kept]


@pytest.mark.parametrize('kind', HOW)
def test_a_guest_starts_with_what_changed(bed: Bed, kind: str) -> None:
    bed.networks.change_port(bed.mine, fixed_ip='10.0.0.99')
    bed.networks.change_network(bed.network, mtu=1400, name='renamed')
    how, update = bed.act(kind)
    assert how == 'finish' and update.nics == bed.started[0].nics
    assert {(nic.mtu, nic.network_name) for nic in update.nics} == {(1400, 'renamed')}
    assert update.nics[1].fixed_ips[0].address == '10.0.0.99'
    assert (update.nics[1].tag, update.nics[1].owned) == ('front', False)


@pytest.mark.parametrize('kind', HOW)
def test_ports_that_are_as_they_were_are_not_reported(bed: Bed, kind: str) -> None:
    how, update = bed.act(kind)
    assert (how, update.nics) == ('finish', None) and bed.started[0].nics == bed.server.nics


@pytest.mark.parametrize('kind', HOW)
def test_while_network_is_silent_a_guest_starts_with_what_is_known(bed: Bed, kind: str) -> None:
    bed.networks.refuse(exception.Unavailable('down'))
    how, update = bed.act(kind)
    assert (how, update.nics) == ('finish', None) and bed.started[0].nics == bed.server.nics


def test_a_port_that_is_bound_elsewhere_is_bound_here_again(bed: Bed) -> None:
    bed.networks.change_port(bed.mine, **{'binding:host_id': 'h2', 'status': 'DOWN'})
    how, _ = bed.act('reboot_hard')
    assert how == 'finish' and {port.host for port in bed.networks.ports} == {'h1'}


def test_a_port_that_cannot_be_bound_stays_the_servers_and_the_guest_goes_on(bed: Bed) -> None:
    bed.networks.change_port(bed.mine, **{'binding:host_id': 'h2'})
    bed.networks.broken_hosts.add('h1')
    how, (error, _) = bed.act('reboot_hard')
    assert (how, error.code) == ('fail', 'port_binding_failed')
    assert bed.networks.port(None, bed.mine).device_id == UUID
    assert bed.driver.guest_info(UUID).power_state == states.RUNNING and not bed.started


def test_a_port_that_is_deleted_before_it_is_bound_is_left_out(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.networks.change_port(bed.mine, **{'binding:host_id': 'h2'})
    bind = bed.networks.bind_port

    def late(context: Any, port_id: str, **more: Any) -> Any:
        bed.networks.delete_port(None, port_id)
        return bind(context, port_id, **more)
    monkeypatch.setattr(bed.networks, 'bind_port', late)
    how, update = bed.act('start')
    assert how == 'finish' and update.nics == bed.server.nics[:1] == bed.started[0].nics


def test_a_port_that_is_deleted_while_its_wiring_is_waited_for_is_left_out(
        bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nics, '_LOOK', 0.0)
    bed.conf.set_override('vif_plug_timeout', 60, 'worker')
    bed.networks.change_port(bed.mine, **{'binding:host_id': 'h2'})
    bind = bed.networks.bind_port

    def bound(context: Any, port_id: str, **more: Any) -> Any:
        nic = bind(context, port_id, **more)
        bed.networks.delete_port(None, port_id)
        return dataclasses.replace(nic, active=False)
    monkeypatch.setattr(bed.networks, 'bind_port', bound)
    monkeypatch.setattr(bed.networks, '_on_wired', None)
    how, update = bed.act('start')
    assert how == 'finish' and update.nics == bed.server.nics[:1] == bed.started[0].nics


def resume_guest(bed: Bed, monkeypatch: pytest.MonkeyPatch, server: Instance | None = None) -> None:
    monkeypatch.setattr(resume, '_PAUSE', 0.02)
    bed.conf.set_override('vif_plug_timeout', 60, 'worker')
    bed.driver.stop_outside(UUID)
    sync = PowerSync(Observing(), bed.driver, bed.runner)  # type: ignore[arg-type]
    Recovery(bed.conf, bed.driver, bed.nics, bed.runner, sync).run(
        Registration(service_uuid='s', instances=(server or bed.server,)))


@pytest.mark.parametrize('binding', [{'binding:vif_type': 'binding_failed'},
                                     {'binding:vif_type': 'unbound', 'binding:host_id': ''},
                                     {'binding:host_id': 'h2'}])
def test_after_a_boot_of_the_host_ports_are_bound_again(bed: Bed, monkeypatch: pytest.MonkeyPatch,
                                                        binding: dict[str, str]) -> None:
    """The agent of the host may come up later than the worker."""
    bed.networks.change_port(bed.mine, **binding)
    bed.networks.broken_hosts.add('h1')
    tries, bind = list[str](), bed.networks.bind_port

    def counted(context: Any, port_id: str, **more: Any) -> Any:
        tries.append(port_id)
        if len(tries) == 3:
            bed.networks.broken_hosts.clear()
        return bind(context, port_id, **more)
    monkeypatch.setattr(bed.networks, 'bind_port', counted)
    resume_guest(bed, monkeypatch)
    eventually(lambda: not bed.runner.busy(UUID))
    assert bed.driver.guest_info(UUID).power_state == states.RUNNING and tries == [bed.mine] * 3
    assert [nic.vif_type for nic in bed.started[0].nics] == ['bridge', 'bridge']
    assert {port.host for port in bed.networks.ports} == {'h1'}


def test_after_a_boot_of_the_host_unbound_ports_wait_for_network(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = tuple(dataclasses.replace(nic, vif_type='unbound') for nic in bed.server.nics)
    silent = threading.Event()
    read = bed.networks.nics_of

    def nics_of(device_ids: Any, soon: bool = False) -> Any:
        if not silent.is_set():
            silent.set()
            raise exception.Unavailable('down')
        return read(device_ids, soon)
    monkeypatch.setattr(bed.networks, 'nics_of', nics_of)
    resume_guest(bed, monkeypatch, dataclasses.replace(bed.server, nics=stored))
    eventually(lambda: not bed.runner.busy(UUID))
    assert silent.is_set() and bed.driver.guest_info(UUID).power_state == states.RUNNING
    assert [nic.vif_type for nic in bed.started[0].nics] == ['bridge', 'bridge']


def test_an_operation_ends_the_wait_for_wiring_after_a_boot(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    waits, bind = threading.Event(), bed.networks.bind_port
    monkeypatch.setattr(bed.networks, '_on_wired', None)

    def bound(context: Any, port_id: str, **more: Any) -> Any:
        nic = bind(context, port_id, **more)
        bed.networks.change_port(port_id, status='DOWN')
        waits.set()
        return dataclasses.replace(nic, active=False)
    monkeypatch.setattr(bed.networks, 'bind_port', bound)
    bed.networks.change_port(bed.mine, **{'binding:host_id': 'h2'})
    resume_guest(bed, monkeypatch)
    assert waits.wait(60)
    bed.runner.submit(ctx.internal(), bed.work('delete', args={'nics': []}).operation.ref)
    eventually(lambda: not bed.driver.guests())
    eventually(lambda: not bed.runner.busy(UUID))


def test_after_a_boot_of_the_host_ports_are_read_at_once_for_all(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resume, '_PAUSE', 0.02)
    bed.networks.delete_port(None, bed.mine)
    bed.driver.stop_outside(UUID)
    bed.networks.asked.clear()
    sync = PowerSync(Observing(), bed.driver, bed.runner)  # type: ignore[arg-type]
    Recovery(bed.conf, bed.driver, bed.nics, bed.runner, sync).run(
        Registration(service_uuid='s', instances=(bed.server,)))
    eventually(lambda: bed.driver.guest_info(UUID).power_state == states.RUNNING)
    assert bed.started[0].nics == bed.server.nics[:1] and len(bed.networks.asked) == 1
