"""A daemon with one handler that blocks in a C call, for ``test_blocked_handler`` of the gate and of the endurance set.

Arguments: broker, name, and what the call waits for: seconds, or the path of a FIFO that gives it a byte.
"""

from __future__ import annotations

from compute import concurrency

if __name__ == '__main__':  # the test imports the interface, and must not become green for that
    concurrency.patch()

import ctypes  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from typing import Any  # noqa: E402

from oslo_config import cfg  # noqa: E402

from compute.rpc.interface import Interface, call, cast  # noqa: E402
from compute.rpc.transport import Rpc  # noqa: E402


class Blocking(Interface):
    """What the test calls."""

    TOPIC = 'blocking'
    NAME = 'blocking'

    @cast()
    def block(self, context: Any) -> None:
        """Sit in a C call for a long time."""
        raise NotImplementedError

    @call(timeout=120)
    def blocked(self, context: Any) -> list[int]:
        """Return how many calls have begun, and how many have ended."""
        raise NotImplementedError


class Endpoint(Blocking):
    """The other end."""

    def __init__(self, waits_for: str) -> None:
        self._begun, self._ended = 0, 0
        library = ctypes.CDLL(None)
        if waits_for.isdigit():
            self._call, self._arguments = library.sleep, (int(waits_for),)
        else:
            self._call = library.read
            self._arguments = (os.open(waits_for, os.O_RDWR), ctypes.create_string_buffer(1), 1)

    def block(self, context: Any) -> None:
        self._begun += 1
        concurrency.offload(self._call, *self._arguments)
        self._ended += 1

    def blocked(self, context: Any) -> list[int]:
        return [self._begun, self._ended]


def connect(url: str) -> Rpc:
    """Return a connection whose heartbeats would be missed within the time of the test."""
    conf = cfg.CONF  # the library looks for its tracing options there
    conf([], project='compute', default_config_files=[])
    from oslo_messaging._drivers import impl_rabbit
    conf.register_opts(impl_rabbit.rabbit_opts, group='oslo_messaging_rabbit')
    conf.set_override('heartbeat_timeout_threshold', 6, 'oslo_messaging_rabbit')
    conf.set_override('heartbeat_rate', 3, 'oslo_messaging_rabbit')
    return Rpc(conf, url)


def main() -> None:
    """Serve until killed."""
    server = connect(sys.argv[1]).server('blocking', sys.argv[2], [Endpoint(sys.argv[3])])
    server.start()
    threading.Event().wait()


if __name__ == '__main__':
    main()
