"""The Linux plumbing as the agent sees it: a helper process does the work, the metadata sockets are opened here.

The helper is started when it is needed and again when it has died. A new one knows nothing, and refuses single
networks until it was told all.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import compute
from compute import exception
from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux.listener import listen_in
from compute.builtin.network.agent.linux.settings import from_conf
from compute.builtin.network.agent.plumbing import Outcome
from compute.objects.value import decode, encode
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)
HELPER = 'compute.builtin.network.agent.linux.helper'
PATIENCE = 600.0


class RemotePlumbing:
    """See ``plumbing.Plumbing``."""

    def __init__(self, conf: Any) -> None:
        self._settings = from_conf(conf)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: socket.socket | None = None

    def start(self) -> None:
        """Check what can be checked before there is any work."""
        if os.geteuid():
            raise exception.Failed('the network agent needs root to make interfaces and namespaces',
                                   hint='run it as root, or set [network_agent] driver = fake')
        for program in ('nft', self._settings.dnsmasq):
            if shutil.which(program, path=f'{os.environ.get("PATH", os.defpath)}:/usr/sbin:/sbin') is None:
                raise exception.Failed(f'the network agent needs the program {program}',
                                       hint='install nftables and dnsmasq-base')

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> Outcome:
        """Have the helper make these networks."""
        return self._outcome('apply', networks)

    def sync(self, networks: list[NetworkWiring]) -> Outcome:
        """Have the helper make exactly these networks."""
        return self._outcome('sync', networks)

    def cleanup(self) -> tuple[str, ...]:
        """Have the helper remove everything, and remove the state directory."""
        removed = tuple(self._call('cleanup', None))
        shutil.rmtree(os.path.join(self._settings.state_dir, 'networks'), ignore_errors=True)
        for name in ('indexes.json', 'indexes.json.new'):
            if os.path.exists(path := os.path.join(self._settings.state_dir, name)):
                os.unlink(path)
        return removed

    def listen(self, network_id: str) -> socket.socket | None:
        """Open the metadata socket inside the network's namespace."""
        return listen_in(_path(network_id))

    def generation(self, network_id: str) -> int:
        """Return the number of the network's namespace."""
        try:
            return os.stat(_path(network_id)).st_ino
        except FileNotFoundError:
            return 0

    def stop(self) -> None:
        """Let the helper end."""
        with self._lock:
            self._end()

    def _outcome(self, method: str, argument: Any) -> Outcome:
        outcome: Outcome = decode(Outcome, self._call(method, encode(argument)))
        return outcome

    def _call(self, method: str, argument: Any) -> Any:
        with self._lock:
            try:
                connection = self._connect()
                _send(connection, {'method': method, 'argument': argument})
                reply = _receive(connection)
            except (OSError, ValueError) as error:
                self._end()
                raise exception.Unavailable(f'the network helper process failed: {error}') from error
        if 'error' in reply:
            raise exception.Unavailable(reply['error'])
        return reply['result']

    def _connect(self) -> socket.socket:
        if self._connection is not None and self._process is not None and self._process.poll() is None:
            return self._connection
        self._end()
        ours, theirs = socket.socketpair()
        root = os.path.dirname(os.path.dirname(os.path.abspath(compute.__file__)))
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(
            filter(None, [root, os.environ.get('PYTHONPATH')]))}
        environment['PATH'] = f'{environment.get("PATH", os.defpath)}:/usr/sbin:/sbin'
        with theirs:
            self._process = subprocess.Popen([sys.executable, '-m', HELPER], stdin=theirs.fileno(),
                                             stdout=subprocess.DEVNULL, env=environment)
        ours.settimeout(PATIENCE)
        self._connection = ours
        _send(ours, encode(self._settings))
        return ours

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        process, self._process = self._process, None
        if process is None:
            return
        # It ends by itself at the end of its input, after what it is doing now.
        deadline = time.monotonic() + 10
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if process.poll() is None:
            process.kill()
            process.wait()


def _path(network_id: str) -> str:
    return f'/run/netns/{names.namespace(network_id)}'


def _send(connection: socket.socket, value: Any) -> None:
    connection.sendall(json.dumps(value).encode() + b'\n')


def _receive(connection: socket.socket) -> Any:
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b'\n'):
        data = connection.recv(1 << 20)
        if not data:
            raise ConnectionError('it has ended')
        parts.append(data)
    return json.loads(b''.join(parts))
