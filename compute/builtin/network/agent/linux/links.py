"""The interfaces of one namespace: a snapshot, and changes against it that are made only where something differs.

Runs in the helper process only: pyroute2 is asyncio inside and must not meet green threads.
"""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyroute2 import IPRoute

from compute import exception
from compute.builtin.network.agent import names

IFF_UP = 1
TUNSETIFF, TUNSETPERSIST, TUNSETOWNER, TUNSETGROUP = 0x400454ca, 0x400454cb, 0x400454cc, 0x400454ce
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


@dataclass(frozen=True)
class Link:
    """One interface as it is."""

    index: int
    name: str
    kind: str
    alias: str
    mtu: int
    mac: str
    master: int
    up: bool
    filtered: bool

    @property
    def owner(self) -> tuple[str, str] | None:
        """Network and port that it was made for, None for interfaces that are not ours."""
        return names.parse_alias(self.alias)


def _link(message: Any) -> Link:
    kind = message.get(('linkinfo', 'kind')) or ''
    filtered = kind == 'bridge' and all(
        message.get(('linkinfo', 'data', f'br_nf_call_{family}')) == 1 for family in ('iptables', 'ip6tables'))
    return Link(message['index'], message.get('ifname'), kind, message.get('ifalias') or '', message.get('mtu') or 0,
                (message.get('address') or '').lower(), message.get('master') or 0,
                bool(message['flags'] & IFF_UP), filtered)


class Links:
    """All interfaces of the namespace that ``ipr`` is in. What is done is written to ``changes``."""

    def __init__(self, ipr: IPRoute, changes: list[str]) -> None:
        self.ipr, self._changes = ipr, changes
        self._links = {link.name: link for link in map(_link, ipr.link('dump'))}

    def __iter__(self) -> Iterator[Link]:
        return iter(list(self._links.values()))

    def get(self, name: str) -> Link | None:
        """Return an interface, None when it is not there."""
        return self._links.get(name)

    def ours(self, name: str, kind: str, alias: str) -> Link | None:
        """Return an interface that was made for ``alias``, or one without a mark as an earlier run may have left it.

        :raises exception.Conflict: when the name is taken by something else.
        """
        link = self._links.get(name)
        if link is not None and (link.kind != kind or link.alias not in ('', alias)):
            raise exception.Conflict(f'interface {name} exists already and is not ours ({link.kind} {link.alias!r})')
        return link

    def add(self, name: str, **attributes: Any) -> Link:
        """Make an interface."""
        self.ipr.link('add', ifname=name, **attributes)
        self._changes.append(f'{name} made')
        return self._reload(name)

    def add_tap(self, name: str, owner: int | None, group: int | None) -> Link:
        """Make a tap that stays when nobody has it open."""
        descriptor = os.open('/dev/net/tun', os.O_RDWR | os.O_CLOEXEC)
        try:
            request = struct.pack('16sH22x', name.encode(), IFF_TAP | IFF_NO_PI)
            fcntl.ioctl(descriptor, TUNSETIFF, request)
            if owner is not None:
                fcntl.ioctl(descriptor, TUNSETOWNER, owner)
            if group is not None:
                fcntl.ioctl(descriptor, TUNSETGROUP, group)
            fcntl.ioctl(descriptor, TUNSETPERSIST, 1)
        finally:
            os.close(descriptor)
        self._changes.append(f'{name} made')
        return self._reload(name)

    def settle(self, name: str, *, alias: str | None = None, mac: str | None = None, mtu: int | None = None,
               master: int | None = None, up: bool = True) -> Link:
        """Make an interface's attributes as stated; None leaves one as it is."""
        link = self._links[name]
        wanted: dict[str, Any] = {}
        if alias is not None and link.alias != alias:
            wanted['ifalias'] = alias
        if mac is not None and link.mac != mac:
            wanted['address'] = mac
        if mtu is not None and link.mtu != mtu:
            wanted['mtu'] = mtu
        if master is not None and link.master != master:
            wanted['master'] = master
        if link.up != up:
            wanted['state'] = 'up' if up else 'down'
        if not wanted:
            return link
        self.ipr.link('set', index=link.index, **wanted)
        self._changes.append(f'{name}: {", ".join(sorted(wanted))} set')
        return self._reload(name)

    def filter(self, name: str) -> None:
        """Let the packets that a bridge carries pass the inet hooks, whatever the host's default is."""
        link = self._links[name]
        if not link.filtered:
            self.ipr.link('set', index=link.index, kind='bridge', br_nf_call_iptables=1, br_nf_call_ip6tables=1)
            self._changes.append(f'{name}: packet filter switched on')
            self._reload(name)

    def remove(self, name: str) -> None:
        """Remove an interface if it is there."""
        if (link := self._links.pop(name, None)) is not None:
            self.ipr.link('del', index=link.index)
            self._changes.append(f'{name} removed')

    def _reload(self, name: str) -> Link:
        link = _link(self.ipr.link('get', ifname=name)[0])
        self._links[name] = link
        return link


def set_sysctl(path: str, value: str) -> bool:
    """Write a kernel setting under /proc/sys/net, of this thread's namespace; return whether it was different."""
    full = f'/proc/sys/net/{path}'
    try:
        with open(full, encoding='ascii') as file:
            if file.read().strip() == value:
                return False
        with open(full, 'w', encoding='ascii') as file:
            file.write(value)
    except FileNotFoundError:
        # A kernel without IPv6 has no such settings, and nothing to be set.
        return False
    return True
