"""The libvirt driver on a real libvirtd: the contract of all drivers, and what only real guests can show.

The contract runs on a blank disk, whose guest does nothing but run. The tests at the end boot the project's own small
guest image; its place is given by COMPUTE_TEST_GUEST, else it is built.
"""

from __future__ import annotations

import json
import operator
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import libvirt
import pytest
from oslo_config import cfg

from compute import exception, states
from compute.objects.nic import Nic
from compute.virt import hardware
from compute.virt.driver import Guest, GuestEvent
from compute.virt.libvirt.driver import LibvirtDriver
from compute.virt.libvirt.xml.metadata import NAMESPACE
from tests.contract.virt.bed import Bed, wait_for
from tests.contract.virt.contract import DriverContract
from tests.contract.virt.making import Source, make_conf, make_guest, make_image, make_instance, make_part
from tests.contract.virt.moves import MovedDisksContract, with_flavor
from tests.real.guest_file import build_guest, guest_file
from tests.real.libvirtd import URI, Daemons, libvirtd  # noqa: F401 - a fixture

pytestmark = pytest.mark.timeout(1800)
# A boot takes four seconds on an idle machine, and much more where many things run.
BOOT = 300


@pytest.fixture(scope='module')
def instances_path() -> Iterator[pathlib.Path]:
    """A folder that the user of QEMU can reach, which pytest's own are not."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='test-instances-', dir='/var/tmp'))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def conf(instances_path: pathlib.Path) -> cfg.ConfigOpts:
    return make_conf(libvirt={'instances_path': str(instances_path)})


@pytest.fixture
def driver(libvirtd: Daemons, conf: cfg.ConfigOpts) -> Iterator[LibvirtDriver]:  # noqa: F811
    driver = LibvirtDriver(conf, 'host-1')
    yield driver
    driver.stop()


@pytest.fixture
def bed(driver: LibvirtDriver, instances_path: pathlib.Path) -> Iterator[Bed]:
    events: list[GuestEvent] = []
    driver.start(events.append)
    bed = Bed(driver, events, bytes(1024 ** 2), kill_qemu)
    yield bed
    bed.close()
    assert [path.name for path in instances_path.iterdir()] == ['_base'], 'a folder was left behind'
    for path in (instances_path / '_base').iterdir():
        path.unlink()
    assert not driver._host.run(lambda connection: [
        domain.name() for domain in connection.listAllDomains(0)
        if domain.UUIDString() in [guest.instance.uuid for guest in bed.made]])


def kill_qemu(uuid: str) -> None:
    """Kill the process of a guest."""
    signal_qemu(uuid, signal.SIGKILL)


def signal_qemu(uuid: str, number: int) -> None:
    """Send a signal to the process of a guest; it is found by the uuid on its command line."""
    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            words = path.read_bytes().split(b'\0')
        except OSError:
            continue
        if b'qemu-system' in words[0] and uuid.encode() in words:
            os.kill(int(path.parent.name), number)
            return
    raise AssertionError(f'no QEMU runs {uuid}')


class TestLibvirtDriver(DriverContract, MovedDisksContract):
    """The whole contract."""


# -- what goes wrong --


def test_a_strangers_domain_is_shown_and_never_touched(bed: Bed, driver: LibvirtDriver) -> None:
    guest = make_guest()
    no_disk = with_flavor(guest, root_gb=0)
    connection = libvirt.open(URI)
    domain = connection.createXML(
        f"<domain type='qemu'><name>stranger</name><uuid>{guest.instance.uuid}</uuid><memory unit='MiB'>16</memory>"
        "<os><type>hvm</type></os></domain>", 0)
    try:
        assert not driver.guest_info(guest.instance.uuid).ours
        for method, arguments in (('destroy', (guest.instance,)), ('spawn', (guest,)),
                                  ('power_off', (guest.instance, 0)), ('reboot_hard', (guest,)),
                                  ('moves.set_aside', (guest.instance,)), ('moves.adopt', (no_disk, {}))):
            with pytest.raises(exception.Failed) as caught:
                operator.attrgetter(method)(driver)(*arguments)
            assert caught.value.code == 'foreign_guest'
        assert domain.isActive()
    finally:
        domain.destroy()
        connection.close()


def test_what_no_host_can_run_fails_and_leaves_nothing(bed: Bed, driver: LibvirtDriver) -> None:
    image = bed.image(properties={'hw_machine_type': 'pc-from-tomorrow'})
    guest = make_guest(image)
    bed.made.append(guest)
    driver.prepare(guest.instance, Source(bed.data))
    with pytest.raises(exception.Failed, match='pc-from-tomorrow'):
        driver.spawn(guest)
    with pytest.raises(exception.NotFound):
        driver.guest_info(guest.instance.uuid)


def test_a_missing_tap_may_be_retried_elsewhere(bed: Bed, driver: LibvirtDriver) -> None:
    nic = Nic(port_id='p-1', network_id='n-1', mac='52:54:00:00:00:01', vif_type='tap', device='tapnotthere')
    guest = Guest(instance=bed.guest().instance, nics=(nic,))
    with pytest.raises(exception.Retry, match='tapnotthere'):
        driver.spawn(guest)


def test_a_name_that_is_taken_may_be_retried_elsewhere(bed: Bed, driver: LibvirtDriver) -> None:
    first = bed.spawned()
    second = bed.guest(id=first.instance.id)
    with pytest.raises(exception.Retry, match='already exists'):
        driver.spawn(second)
    assert bed.state(first) == states.RUNNING


def test_libvirtd_restarts_under_a_running_guest(bed: Bed, driver: LibvirtDriver,
                                                 libvirtd: Daemons) -> None:  # noqa: F811
    if not libvirtd.ours:
        pytest.skip('this libvirtd belongs to somebody else')
    guest = bed.spawned()
    libvirtd.stop_libvirtd()
    wait_for(lambda: driver.healthy() is not None)
    assert URI in str(driver.healthy())
    with pytest.raises(exception.Unavailable):
        driver.guest_info(guest.instance.uuid)
    libvirtd.start()
    wait_for(lambda: driver.healthy() is None)
    assert bed.state(guest) == states.RUNNING
    # libvirtd, too, has to find its guests again: this question goes through QEMU's monitor.
    driver._lifecycle._domain(guest.instance).run(lambda domain: domain.blockStats('vda'))
    kill_qemu(guest.instance.uuid)
    wait_for(lambda: 'crashed' in [event.kind for event in bed.events])


def test_a_guest_that_dies_while_it_is_asked_to_shut_down_is_off(bed: Bed, driver: LibvirtDriver) -> None:
    guest = bed.spawned()
    signal_qemu(guest.instance.uuid, signal.SIGSTOP)  # so that the question is still open when it dies
    timer = threading.Timer(0.5, kill_qemu, (guest.instance.uuid,))
    timer.start()
    driver.power_off(guest.instance, 20)
    timer.join()
    assert bed.state(guest) in (states.SHUTDOWN, states.CRASHED)


def test_disks_of_the_flavor(bed: Bed, driver: LibvirtDriver, instances_path: pathlib.Path) -> None:
    guest = bed.guest(flavor={'ephemeral_gb': 1, 'swap_mb': 16, 'root_gb': 3})
    guest = Guest(instance=guest.instance, config_drive={'openstack/latest/meta_data.json': b'{}'})
    driver.spawn(guest)
    folder = instances_path / guest.instance.uuid
    assert {path.name for path in folder.iterdir()} == {
        'disk', 'disk.eph0', 'disk.swap', 'disk.config', 'console.log'}
    shown = subprocess.run(['qemu-img', 'info', '-U', str(folder / 'disk')], capture_output=True, text=True, check=True)
    assert '3 GiB' in shown.stdout and str(instances_path / '_base') in shown.stdout
    assert (folder / 'disk.eph0').stat().st_blocks * 512 < 100 * 1024 ** 2
    document = driver._lifecycle._domain(guest.instance).document()
    assert [target.get('dev') for target in document.findall('devices/disk/target')] == ['vda', 'vdb', 'vdc', 'hda']
    assert NAMESPACE in str(document.find('metadata')[0].tag)  # type: ignore[index]


@pytest.mark.parametrize('properties', [
    {'hw_machine_type': 'q35', 'hw_disk_bus': 'sata', 'hw_vif_model': 'e1000e', 'hw_video_model': 'vga'},
    {'hw_disk_bus': 'scsi', 'hw_scsi_model': 'virtio-scsi', 'hw_cdrom_bus': 'scsi', 'hw_video_model': 'cirrus'},
    {'hw_disk_bus': 'ide', 'hw_video_model': 'none', 'hw_pointer_model': 'ps2mouse', 'hw_watchdog_action': 'reset'},
    {'hw_machine_type': 'q35', 'hw_input_bus': 'virtio', 'hw_qemu_guest_agent': 'yes', 'hw_boot_menu': 'true',
     'hw_video_model': 'qxl', 'hw_video_ram': '16', 'hw_time_hpet': 'true', 'hw_cdrom_bus': 'usb'},
    {'hw_disk_bus': 'usb', 'hw_cdrom_bus': 'virtio', 'hw_video_model': 'bochs', 'os_type': 'windows'},
])
def test_libvirt_takes_what_images_may_ask_for(bed: Bed, driver: LibvirtDriver, properties: dict[str, str]) -> None:
    guest = Guest(instance=make_instance(bed.image(properties=properties), flavor={'vcpus': 2, 'extra_specs': {
        'hw:cpu_cores': '2', 'quota:cpu_shares': '512', 'quota:disk_read_iops_sec': '100',
        'hw_rng:rate_bytes': '1024'}}),
        config_drive={'openstack/latest/meta_data.json': b'{}'})
    if properties.get('hw_video_model') == 'qxl' and not _has_qxl():
        pytest.skip('this QEMU has no qxl')
    bed.made.append(guest)
    driver.prepare(guest.instance, Source(bed.data))
    driver.spawn(guest)
    assert bed.state(guest) == states.RUNNING
    assert hardware.plan(guest.instance).topology.cores == 2


@pytest.fixture
def wire() -> Iterator[str]:
    """A bridge and a persistent tap in it, as the network agent makes them; the name ends both."""
    name = f'vt{os.getpid() % 100000}'
    commands = (['link', 'add', f'br{name}', 'type', 'bridge'], ['link', 'set', f'br{name}', 'up'],
                ['tuntap', 'add', 'dev', f'tap{name}', 'mode', 'tap'],
                ['link', 'set', f'tap{name}', 'master', f'br{name}', 'mtu', '1400', 'up'])
    try:
        for command in commands:
            subprocess.run(['ip', *command], check=True)
        yield name
    finally:
        for device in (f'tap{name}', f'br{name}'):
            subprocess.run(['ip', 'link', 'del', device], check=False)


def links() -> dict[str, Any]:
    """Return the interfaces by name. Not from /sys, which in a container may be of another network namespace."""
    told = subprocess.run(['ip', '-j', 'link'], capture_output=True, text=True, check=True).stdout
    return {link['ifname']: link for link in json.loads(told)}


def test_a_guest_on_a_tap_that_others_made_and_on_a_bridge(bed: Bed, driver: LibvirtDriver, wire: str) -> None:
    tap = Nic(port_id='p-1', network_id='n-1', mac='52:54:00:00:00:01', vif_type='tap', device=f'tap{wire}', mtu=1400)
    bridge = Nic(port_id='p-2', network_id='n-1', mac='52:54:00:00:00:02', vif_type='bridge', device=f'tax{wire}',
                 vif_details={'bridge_name': f'br{wire}'}, mtu=1400)
    guest = Guest(instance=bed.guest().instance, nics=(tap, bridge))
    driver.spawn(guest)
    driver.reboot_hard(guest)
    wait_for(lambda: 'LOWER_UP' in links()[f'tap{wire}']['flags'])
    assert links()[f'tax{wire}']['master'] == f'br{wire}'
    driver.destroy(guest.instance)
    assert f'tap{wire}' in links(), 'the tap belongs to the network agent and stays'
    assert f'tax{wire}' not in links()


def _has_qxl() -> bool:
    done = subprocess.run(['qemu-system-x86_64', '-device', 'help'], capture_output=True, text=True, check=True)
    return '"qxl-vga"' in done.stdout


# -- real guests --


@pytest.fixture(scope='session')
def guest_image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return guest_file(tmp_path_factory.mktemp('guest')).read_bytes()


def _console(driver: LibvirtDriver, guest: Guest) -> str:
    return driver.console_output(guest.instance, 1024 ** 2).decode(errors='replace')


@pytest.mark.parametrize('properties', [{}, {'hw_machine_type': 'q35', 'hw_cdrom_bus': 'scsi'}], ids=['pc', 'q35'])
def test_a_real_guest_boots_reads_its_config_drive_reboots_and_shuts_down(
        bed: Bed, driver: LibvirtDriver, guest_image: bytes, properties: dict[str, str]) -> None:
    image = make_image(guest_image, 'qcow2', properties=properties)
    guest = Guest(instance=make_instance(image, flavor={'memory_mb': 192}), config_drive={
        'openstack/latest/meta_data.json': b'{"uuid": "u", "hostname": "drive-told-me", "name": "x"}'})
    bed.made.append(guest)
    driver.prepare(guest.instance, Source(guest_image))
    driver.spawn(guest)
    wait_for(lambda: 'guest: boot done' in _console(driver, guest), BOOT)
    assert 'drive-told-me' in _console(driver, guest)
    assert driver.reboot_soft(guest, BOOT)
    wait_for(lambda: _console(driver, guest).count('guest: boot done') == 2, BOOT)
    bed.events.clear()
    driver.power_off(guest.instance, BOOT)
    assert bed.state(guest) == states.SHUTDOWN
    wait_for(lambda: [event.kind for event in bed.events] == ['stopped'])
    driver.power_on(guest)
    assert bed.state(guest) == states.RUNNING


@pytest.fixture(scope='session')
def kernel_form(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same guest in three files: kernel, RAM disk and root file system."""
    names = ('vmlinuz', 'initrd.img', 'root.img')
    folder = pathlib.Path(os.environ.get('COMPUTE_TEST_GUEST_PARTS') or tmp_path_factory.mktemp('form'))
    if not all((folder / name).exists() for name in names):
        build_guest(folder / 'guest.qcow2', '--kernel-form', str(folder))
    return {name: (folder / name).read_bytes() for name in names}


def test_a_real_guest_boots_the_kernel_of_its_image(bed: Bed, driver: LibvirtDriver,
                                                    kernel_form: dict[str, bytes]) -> None:
    kernel, ramdisk = make_part(kernel_form['vmlinuz'], 'aki'), make_part(kernel_form['initrd.img'], 'ari')
    image = make_image(kernel_form['root.img'], 'ami', container_format='ami', kernel=kernel, ramdisk=ramdisk,
                       properties={'os_command_line': 'console=tty0 console=ttyS0,115200 tsc=unstable told=by-image'})
    guest = Guest(instance=make_instance(image, flavor={'memory_mb': 192}))
    bed.made.append(guest)
    driver.prepare(guest.instance, Source(kernel_form['root.img'], others={
        kernel.id: kernel_form['vmlinuz'], ramdisk.id: kernel_form['initrd.img']}))
    driver.spawn(guest)
    wait_for(lambda: 'guest: boot done' in _console(driver, guest), BOOT)
    assert 'told=by-image' in _console(driver, guest)
    for path in driver._paths.base.iterdir():  # what it boots from is its own
        path.unlink() if kernel.id in path.name or ramdisk.id in path.name else None
    driver.reboot_hard(guest)
    wait_for(lambda: _console(driver, guest).count('guest: boot done') == 2, BOOT)


def test_a_guest_without_a_system_does_not_obey(bed: Bed, driver: LibvirtDriver) -> None:
    guest = bed.spawned()
    assert not driver.reboot_soft(guest, 1)
    assert bed.state(guest) == states.RUNNING
    driver.power_off(guest.instance, 1)
    assert bed.state(guest) == states.SHUTDOWN
