"""Small parts of the libvirt driver that need neither libvirtd nor QEMU."""

from __future__ import annotations

import io
import pathlib

import libvirt
import pycdlib
import pytest

from compute import exception, states
from compute.objects.nic import Nic
from compute.virt import loader
from compute.virt.driver import GuestEvent
from compute.virt.libvirt import configdrive, events, inventory, vif
from compute.virt.libvirt.capabilities import cpu_virtualises
from compute.virt.libvirt.console import tail
from compute.virt.libvirt.driver import LibvirtDriver
from tests.contract.virt.making import make_conf

DOCUMENTS = {'openstack/latest/meta_data.json': b'{"a": 1}', 'openstack/2012-08-10/meta_data.json': b'{}',
             'openstack/content/0000': b'x' * 5000, 'ec2/latest/user-data': b''}


@pytest.mark.parametrize('names', ['rr_path', 'joliet_path'])
def test_config_drive_holds_every_document(names: str) -> None:
    iso = pycdlib.PyCdlib()
    iso.open_fp(io.BytesIO(configdrive.build(DOCUMENTS)))
    assert iso.pvd.volume_identifier.rstrip() == b'config-2'
    for path, content in DOCUMENTS.items():
        read = io.BytesIO()
        iso.get_file_from_iso_fp(read, **{names: f'/{path}'})
        assert read.getvalue() == content
    iso.close()


def test_a_config_drive_is_nobody_elses_to_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'disk.config'
    path.with_name('disk.config.part').touch(0o666)
    configdrive.write(path, DOCUMENTS)
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ['disk.config']


@pytest.mark.parametrize(('event', 'detail', 'expected'), [
    (libvirt.VIR_DOMAIN_EVENT_STARTED, 0, ('started', states.RUNNING)),
    (libvirt.VIR_DOMAIN_EVENT_SUSPENDED, 0, ('paused', states.PAUSED)),
    (libvirt.VIR_DOMAIN_EVENT_RESUMED, 0, ('resumed', states.RUNNING)),
    (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, ('stopped', states.SHUTDOWN)),
    (libvirt.VIR_DOMAIN_EVENT_STOPPED, libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED, ('crashed', states.CRASHED)),
    (libvirt.VIR_DOMAIN_EVENT_DEFINED, 0, None),
])
def test_events(event: int, detail: int, expected: tuple[str, int] | None) -> None:
    wanted = None if expected is None else GuestEvent(uuid='u', kind=expected[0], power_state=expected[1])
    assert events.guest_event('u', event, detail) == wanted


@pytest.mark.parametrize(('changes', 'kind', 'code'), [
    ({'vif_type': 'tap', 'device': 'lo'}, None, ''),
    ({'vif_type': 'tap', 'device': 'no-such-tap'}, exception.Retry, 'vif_missing'),
    ({'vif_type': 'bridge', 'vif_details': {'bridge_name': 'no-such-bridge'}}, exception.Retry, 'vif_missing'),
    ({'vif_type': 'ovs'}, None, ''),
    ({'vif_type': 'unbound'}, exception.Failed, 'port_binding_failed'),
])
def test_plugged(changes: dict[str, object], kind: type[exception.ComputeError] | None, code: str) -> None:
    nic = Nic(port_id='p-1', network_id='n-1', mac='x', **changes)  # type: ignore[arg-type]
    if kind is None:
        vif.check_plugged((nic,))
        return
    with pytest.raises(kind) as caught:
        vif.check_plugged((nic,))
    assert caught.value.code == code and 'p-1' in caught.value.message


def test_tail(tmp_path: pathlib.Path) -> None:
    log = tmp_path / 'log'
    assert tail(log, 10) == b''
    log.write_bytes(b'0123456789')
    assert (tail(log, 0), tail(log, 3), tail(log, 99)) == (b'', b'789', b'0123456789')


@pytest.mark.parametrize(('flags', 'expected'), [('fpu vmx sse', True), ('fpu svm', True), ('fpu sse', False)])
def test_whether_the_cpu_virtualises(tmp_path: pathlib.Path, flags: str, expected: bool) -> None:
    (tmp_path / 'cpuinfo').write_text(f'processor : 0\nflags : {flags}\n')
    assert cpu_virtualises(str(tmp_path / 'cpuinfo')) is expected


def test_uptime(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'uptime').write_text('180065.12 1.0\n')
    (tmp_path / 'loadavg').write_text('0.10 0.20 0.30 1/100 7\n')
    assert inventory.uptime(tmp_path).endswith('up 2 days, 2:01, load average: 0.10, 0.20, 0.30')


def test_traits_of_a_cpu() -> None:
    found = inventory.traits({'features': ['sse4.2', 'unheard-of']})
    images = {f'COMPUTE_IMAGE_TYPE_{name}' for name in ('AKI', 'AMI', 'ARI', 'QCOW2', 'RAW')}
    assert set(found) == {'HW_CPU_X86_SSE42', *images}


def test_a_libvirtd_that_is_not_there(tmp_path: pathlib.Path) -> None:
    uri = f'qemu+unix:///system?socket={tmp_path}/none'
    driver = LibvirtDriver(make_conf(libvirt={'instances_path': str(tmp_path), 'connection_uri': uri}), 'host-1')
    driver.start(print)
    try:
        assert uri in str(driver.healthy())
        with pytest.raises(exception.Unavailable) as caught:
            driver.guests()
        assert caught.value.code == 'hypervisor_down'
    finally:
        driver.stop()


@pytest.mark.parametrize('name', ['fake', 'libvirt'])
def test_drivers_are_found_by_name(name: str) -> None:
    driver = loader.load_driver(make_conf(virt={'driver': name}), 'host-1')
    assert driver.name == name and driver.hosts() == ['host-1']


def test_an_unknown_driver_is_refused_with_the_names_of_the_known() -> None:
    with pytest.raises(exception.Invalid) as caught:
        loader.load_driver(make_conf(virt={'driver': 'xen'}), 'host-1')
    assert "'xen'" in caught.value.message and all(name in caught.value.message for name in loader.driver_names())
