"""The serial console of a fake guest: made up when somebody looks, so that it costs no memory until then."""

from __future__ import annotations

from compute.virt.fake.store import FakeGuest

_LINES = (
    '[    0.000000] Linux version 6.1.0-fake (fake@compute) #1 SMP PREEMPT_DYNAMIC',
    '[    0.000000] Command line: root=LABEL=rootfs console=ttyS0',
    '[    0.004000] Memory: {memory_kb}K available',
    '[    0.120000] smp: Brought up 1 node, {vcpus} CPUs',
    '[    0.310000] virtio_blk virtio1: [vda] image {image}',
    '[    0.420000] virtio_net virtio0: eth0 {mac}',
    '[    0.800000] EXT4-fs (vda2): mounted filesystem',
    'guest: hostname {hostname}',
    'guest: boot {boot}',
    'guest: boot done',
    '',
    '{hostname} login: ',
)


def render(guest: FakeGuest) -> bytes:
    """Return everything that the guest printed since it was made: one page for each boot."""
    return b''.join(_page(guest, boot) for boot in range(1, guest.boots + 1))


def _page(guest: FakeGuest, boot: int) -> bytes:
    text = '\r\n'.join(_LINES).format(
        memory_kb=guest.memory_mb * 1024, vcpus=guest.vcpus, image=guest.image or '(none)', mac=guest.mac or '(none)',
        hostname=guest.hostname or guest.name, boot=boot)
    return f'{text}\r\n'.encode()
