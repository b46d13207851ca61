"""What a guest shows: the log of its serial port, and where its screen can be seen."""

from __future__ import annotations

import os
import pathlib

from compute import concurrency, exception
from compute.objects.instance import Instance
from compute.virt.driver import ConsoleAddress
from compute.virt.libvirt.guest import Domain
from compute.virt.libvirt.host import Host
from compute.virt.libvirt.inventory import host_ip
from compute.virt.libvirt.paths import Paths

_ANY = ('0.0.0.0', '::')


class Consoles:
    """The consoles of the host's guests."""

    def __init__(self, host: Host, paths: Paths) -> None:
        self._host, self._paths = host, paths

    def output(self, instance: Instance, max_bytes: int) -> bytes:
        """See ``driver.Consoles.console_output``."""
        Domain(self._host, instance.uuid).info()
        log = self._paths.of(instance).console
        try:
            # virtlogd moves a log that has grown to two megabytes aside and begins a new one.
            recent = concurrency.offload(tail, log, max_bytes)
            older = concurrency.offload(tail, log.with_name(f'{log.name}.0'), max_bytes - len(recent))
        except PermissionError as error:
            raise exception.Failed(
                f'the console log {log} of guest {instance.uuid} cannot be read: {error.strerror}',
                code='console_unreadable', hint='let the worker run as root, or as the owner of the file') from error
        return older + recent

    def vnc(self, instance: Instance) -> ConsoleAddress:
        """See ``driver.Consoles.vnc_address``."""
        graphics = Domain(self._host, instance.uuid).document().find("devices/graphics[@type='vnc']")
        port = int(graphics.get('port', '-1')) if graphics is not None else -1
        if graphics is None or port <= 0:
            raise exception.NotFound(f'guest {instance.uuid} has no VNC console: it is not running or has no screen',
                                     code='console_not_found')
        listen = graphics.get('listen', '')
        return ConsoleAddress(kind='vnc', host=host_ip() if listen in _ANY else listen, port=port)


def tail(path: pathlib.Path, max_bytes: int) -> bytes:
    """Return the last ``max_bytes`` of a file; nothing when it is not there."""
    if max_bytes <= 0:
        return b''
    try:
        with path.open('rb') as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - max_bytes))
            return file.read(max_bytes)
    except FileNotFoundError:
        return b''
