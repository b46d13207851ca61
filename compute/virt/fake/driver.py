"""The fake hypervisor: every method of the contract, no guest that runs.

One object is one host; a worker that acts as many hosts makes one for each. It starts no thread and holds a few hundred
bytes for each guest. What a test may do beyond the contract (make a call fail, crash a guest, stop one from outside,
show a stranger's guest) stands at the end of the class under names that no driver has.
"""

from __future__ import annotations

import os
import pathlib
import threading
import time
from collections.abc import Callable

from oslo_config import cfg

from compute import exception, states
from compute.objects.host import Inventory
from compute.objects.instance import Instance
from compute.virt import download, hardware
from compute.virt.driver import ConsoleAddress, Guest, GuestEvent, GuestInfo, ImageStream
from compute.virt.fake import console
from compute.virt.fake.disks import FakeDisks
from compute.virt.fake.faults import Faults
from compute.virt.fake.images import ImageCache
from compute.virt.fake.moves import FakeMoves
from compute.virt.fake.power import FakePower
from compute.virt.fake.store import FakeGuest, Store

_STOPPED = (states.SHUTDOWN, states.CRASHED, states.NOSTATE)
_FIRST_PORT = 5900
_READS = ('guest_info', 'console_output', 'vnc_address')


class FakeDriver:
    """A complete driver without a hypervisor; see ``compute.virt.driver`` for what each method promises."""

    name = 'fake'

    def __init__(self, conf: cfg.ConfigOpts, host: str) -> None:
        self._conf, self._host = conf, host
        directory = conf.fake.state_dir
        directory = os.path.join(directory, host) if directory else ''
        self._store, self._disks = Store(directory), FakeDisks(directory)
        self._images = ImageCache(conf, self._store)
        self._faults = Faults()
        self._lock = threading.Lock()
        self._on_event: Callable[[GuestEvent], None] | None = None
        self._started_at = time.time()
        self._left: set[str] = set()
        self.power = FakePower(self._get, self._boot, self._set_state, self._lock)
        self.moves = FakeMoves(self._store, self._disks, self._faults, self._make, self._own, self._lock)

    # -- Driver --

    def start(self, on_event: Callable[[GuestEvent], None]) -> None:
        """Begin to deliver the events that the test hooks cause."""
        self._faults.check('start')
        self._on_event = on_event

    def stop(self) -> None:
        """Deliver no more events; the guests stay."""
        self._on_event = None

    def storage(self) -> str | None:
        """Return the folder of ``[fake] state_dir``, if there is one."""
        return self._conf.fake.state_dir or None

    def healthy(self) -> str | None:
        """Return the reason given to ``set_down``, if any."""
        return self._faults.down

    def inventory(self) -> Inventory:
        """Return the configured size."""
        self._faults.check('inventory')
        conf = self._conf.fake
        return Inventory(
            node=self._host, vcpus=conf.vcpus, memory_mb=conf.memory_mb, disk_gb=conf.disk_gb,
            free_disk_gb=conf.disk_gb, hypervisor_type='fake', hypervisor_version=1000000,
            cpu_info={'arch': 'x86_64', 'vendor': 'fake', 'model': 'fake',
                      'topology': {'sockets': 1, 'cores': conf.vcpus, 'threads': 1}, 'features': []},
            uptime=f'up {int(time.time() - self._started_at)} seconds')

    def hosts(self) -> list[str]:
        """Return the one host that this object is."""
        return [self._host]

    # -- Lifecycle --

    def spawn(self, guest: Guest) -> None:
        """Make a guest and start it, after the configured delay."""
        instance = guest.instance
        _check_startable(guest)
        with self._lock:
            self._own(instance.uuid)
            self._store.remove(instance.uuid)
        self._faults.check('spawn')
        for image, _ in download.wanted(instance):
            if image.id not in self._store.images:
                raise exception.Retry(f'image {image.id} is not in the cache of {self._host}', code='image_missing')
        _pause(self._conf.fake.spawn_delay)
        with self._lock:
            self._disks.make(instance.uuid, f'made on {self._host}\n')
            self._boot(self._make(guest))

    def destroy(self, instance: Instance) -> None:
        """Forget the guest."""
        self._faults.check('destroy')
        with self._lock:
            self._own(instance.uuid)
            self._store.remove(instance.uuid)
            self._disks.remove(instance.uuid)
            self._left.discard(instance.uuid)

    def power_on(self, guest: Guest) -> None:
        """Start a stopped guest."""
        with self._lock:
            fake = self._get('power_on', guest.instance.uuid)
            if fake.power_state in _STOPPED:
                _check_startable(guest)
                self._boot(_fake_guest(guest, fake))

    def power_off(self, instance: Instance, timeout: float, cancelled: threading.Event | None = None) -> None:
        """Stop a guest, waiting as long as it takes to obey but no longer than ``timeout``."""
        fake = self._get('power_off', instance.uuid)
        if fake.power_state not in _STOPPED:
            self._obeys(fake, timeout, cancelled)
            with self._lock:
                self._set_state(fake, states.SHUTDOWN)

    def reboot_soft(self, guest: Guest, timeout: float, cancelled: threading.Event | None = None) -> bool:
        """Start a guest again if it obeys."""
        fake = self._get('reboot_soft', guest.instance.uuid)
        if fake.power_state != states.RUNNING:
            return False
        _check_startable(guest)
        if not self._obeys(fake, timeout, cancelled):
            return False
        with self._lock:
            self._boot(_fake_guest(guest, fake))
        return True

    def reboot_hard(self, guest: Guest) -> None:
        """Start a guest again, whatever it does."""
        with self._lock:
            fake = self._get('reboot_hard', guest.instance.uuid)
            _check_startable(guest)
            self._boot(_fake_guest(guest, fake))

    def guest_info(self, uuid: str) -> GuestInfo:
        """Return what is remembered of a guest."""
        return _info(self._get('guest_info', uuid))

    def guests(self) -> list[GuestInfo]:
        """Return all guests."""
        self._faults.check('guests')
        with self._lock:
            return [_info(fake) for fake in self._store.guests.values()]

    def stored(self) -> list[str]:
        """Return all guests of ours, and what was left."""
        self._faults.check('stored')
        with self._lock:
            return sorted({fake.uuid for fake in self._store.guests.values() if fake.ours} | self._left)

    # -- Consoles --

    def console_output(self, instance: Instance, max_bytes: int) -> bytes:
        """Return the end of a made-up boot log."""
        fake = self._get('console_output', instance.uuid)
        return console.render(fake)[-max_bytes:] if max_bytes > 0 else b''

    def vnc_address(self, instance: Instance) -> ConsoleAddress:
        """Return an address at which nothing listens."""
        fake = self._get('vnc_address', instance.uuid)
        if fake.power_state != states.RUNNING:
            raise exception.NotFound(f'guest {fake.uuid} is not running, so it has no VNC console')
        return ConsoleAddress(kind='vnc', host='127.0.0.1', port=fake.port)

    # -- Images --

    def prepare(self, instance: Instance, open_stream: ImageStream, cancelled: threading.Event | None = None) -> None:
        """Note the image as cached; with ``[fake] download_images`` fetch and verify it first."""
        self._faults.check('prepare')
        self._images.prepare(instance, open_stream, cancelled)

    def cached_images(self, instance: Instance) -> dict[str, pathlib.Path]:
        """Return nothing: only names are cached."""
        return {}

    def expire_images(self, older_than: float) -> list[str]:
        """Forget images that nobody uses."""
        self._faults.check('expire_images')
        return self._images.expire(older_than, self._store.used_images)

    # -- hooks for tests; not part of the contract --

    def fail_next(self, method: str, error: Exception) -> None:
        """Let the next call of ``method`` raise ``error`` before it changes anything. Calls add up."""
        self._faults.add(method, error)

    def set_down(self, reason: str | None) -> None:
        """Let every method raise Unavailable, until called with None."""
        self._faults.down = reason

    def crash(self, uuid: str) -> None:
        """Let a guest crash by itself, with an event."""
        self._happen(uuid, 'crashed', states.CRASHED)

    def stop_outside(self, uuid: str) -> None:
        """Let a guest stop as if its user had shut it down from inside, with an event."""
        self._happen(uuid, 'stopped', states.SHUTDOWN)

    def start_outside(self, uuid: str) -> None:
        """Let somebody start a guest behind the controller's back, with an event."""
        self._happen(uuid, 'started', states.RUNNING)

    def ignore_shutdown(self, uuid: str) -> None:
        """Let a guest no longer listen to requests to shut down."""
        with self._lock:
            fake = self._store.guests[uuid]
            fake.listens = False
            self._store.put(fake)

    def leave_files(self, uuid: str) -> None:
        """Let files of a guest lie on this host that has no such guest."""
        self._left.add(uuid)

    def add_foreign(self, uuid: str, name: str) -> None:
        """Add a running guest that somebody else made on this host."""
        with self._lock:
            self._store.put(FakeGuest(uuid=uuid, name=name, power_state=states.RUNNING, ours=False))

    # -- inside --

    def _get(self, method: str, uuid: str) -> FakeGuest:
        self._faults.check(method)
        fake = self._store.guests.get(uuid)
        if fake is None:
            raise exception.NotFound(f'no guest {uuid} on {self._host}', code='guest_not_found')
        if method not in _READS:
            self._own(uuid)
        return fake

    def _own(self, uuid: str) -> None:
        fake = self._store.guests.get(uuid)
        if fake is not None and not fake.ours:
            raise exception.Failed(f'guest {uuid} on {self._host} was not made by this controller',
                                   code='foreign_guest')

    def _make(self, guest: Guest) -> FakeGuest:
        uuid, name = guest.instance.uuid, guest.instance.guest_name
        return _fake_guest(guest, FakeGuest(uuid=uuid, name=name, port=self._free_port()))

    def _boot(self, fake: FakeGuest) -> None:
        fake.boots += 1
        fake.saved = False
        self._set_state(fake, states.RUNNING)

    def _set_state(self, fake: FakeGuest, power_state: int) -> None:
        fake.power_state = power_state
        self._store.put(fake)

    def _obeys(self, fake: FakeGuest, timeout: float, cancelled: threading.Event | None) -> bool:
        """Wait until the guest has shut itself down; return False when it did not within ``timeout``."""
        delay = self._conf.fake.shutdown_delay if fake.listens else timeout + 1
        if (cancelled or threading.Event()).wait(min(delay, timeout)):
            raise exception.Stale(f'the wait for guest {fake.uuid} to shut down was cancelled')
        return fake.listens and delay <= timeout

    def _free_port(self) -> int:
        used = {fake.port for fake in self._store.guests.values()}
        return next((port for port in range(_FIRST_PORT, 65536) if port not in used), 0)

    def _happen(self, uuid: str, kind: str, power_state: int) -> None:
        with self._lock:
            self._set_state(self._store.guests[uuid], power_state)
        if self._on_event is not None:
            self._on_event(GuestEvent(uuid=uuid, kind=kind, power_state=power_state))


def _check_startable(guest: Guest) -> None:
    for nic in guest.nics:
        hardware.check_bound(nic)
    hardware.plan(guest.instance)


def _fake_guest(guest: Guest, fake: FakeGuest) -> FakeGuest:
    instance = guest.instance
    fake.hostname, fake.memory_mb, fake.vcpus = instance.hostname, instance.flavor.memory_mb, instance.flavor.vcpus
    fake.image = instance.image.id if instance.image else ''
    fake.mac = guest.nics[0].mac if guest.nics else ''
    return fake


def _info(fake: FakeGuest) -> GuestInfo:
    return GuestInfo(uuid=fake.uuid, name=fake.name, power_state=fake.power_state, ours=fake.ours,
                     memory_mb=fake.memory_mb, vcpus=fake.vcpus)


def _pause(seconds: float) -> None:
    if seconds > 0:
        time.sleep(seconds)
