"""The devices that are neither disk nor network: consoles, screen, keyboard, entropy, balloon, agent, watchdog."""

from __future__ import annotations

from collections.abc import Iterator

from compute.virt.libvirt.xml.element import Element, element
from compute.virt.libvirt.xml.spec import DomainSpec


def devices(spec: DomainSpec) -> Iterator[Element]:
    """Yield them in the order in which virsh shows them."""
    yield from _serial(spec)
    if spec.plan.guest_agent:
        yield element('channel', element('target', type='virtio', name='org.qemu.guest_agent.0'), type='unix')
    yield from _screen(spec)
    if spec.plan.watchdog:
        yield element('watchdog', model='i6300esb', action=spec.plan.watchdog)
    if spec.plan.rng:
        yield _entropy(spec)
    yield element('memballoon', element('stats', period=spec.stats_period) if spec.stats_period else None,
                  model='virtio')


def _serial(spec: DomainSpec) -> Iterator[Element]:
    """The first serial port: its output is appended to a file by virtlogd, which also keeps the file small."""
    for tag, target in (('serial', element('target', port=0)), ('console', element('target', type='serial', port=0))):
        yield element(tag, element('log', file=spec.console_log, append='on') if spec.console_log else None,
                      target, type='pty')


def _screen(spec: DomainSpec) -> Iterator[Element]:
    if spec.plan.video_model == 'none':
        yield element('video', element('model', type='none'))
        return
    if spec.plan.pointer:
        yield element('input', type='tablet', bus=spec.plan.input_bus)
    yield element('graphics', element('listen', type='address', address=spec.vnc_listen),
                  type='vnc', port=-1, autoport='yes')
    yield element('video', element('model', type=spec.plan.video_model, heads=1,
                                   vram=spec.plan.video_ram_mb * 1024 or None))


def _entropy(spec: DomainSpec) -> Element:
    plan = spec.plan
    return element('rng', element('rate', bytes=plan.rng_bytes, period=plan.rng_period or None)
                   if plan.rng_bytes else None,
                   element('backend', text='/dev/urandom', model='random'), model='virtio')
