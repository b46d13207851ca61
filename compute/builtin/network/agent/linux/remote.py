"""The Linux plumbing as the agent sees it: what takes privileges is done by ``privileged``, in a process of its own.

A process that was started anew knows nothing, and refuses single networks until it was told all.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Mapping
from typing import Any

from oslo_privsep.daemon import FailedToDropPrivileges

from compute import exception, signals
from compute.builtin.network.agent import names
from compute.builtin.network.agent.linux import capabilities, privileged
from compute.builtin.network.agent.linux.settings import from_conf
from compute.builtin.network.agent.plumbing import Outcome
from compute.objects.residue import Wire
from compute.objects.value import decode, encode
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)


class RemotePlumbing:
    """See ``plumbing.Plumbing``."""

    def __init__(self, conf: Any) -> None:
        self._settings = from_conf(conf)
        self._lock = threading.Lock()
        self._name = ''
        self._joined = False

    def start(self) -> None:
        """Check what can be checked before there is any work."""
        if not privileged.ready():
            raise exception.Failed(
                f'the network agent needs {capabilities.names(capabilities.MAKING)} to make interfaces and namespaces',
                hint='run it as root or under systemd (doc/systemd.rst), or set [network_agent] driver = fake')
        for program in ('nft', self._settings.dnsmasq):
            if shutil.which(program, path=f'{os.environ.get("PATH", os.defpath)}:/usr/sbin:/sbin') is None:
                raise exception.Failed(f'the network agent needs the program {program}',
                                       hint='install nftables and dnsmasq-base')
        privileged.join()
        self._joined = True

    def apply(self, networks: Mapping[str, NetworkWiring | None]) -> Outcome:
        """Have these networks made."""
        return self._outcome('apply', networks)

    def sync(self, networks: list[NetworkWiring]) -> Outcome:
        """Have exactly these networks made."""
        return self._outcome('sync', networks)

    def wires(self) -> list[Wire]:
        """Have the helper look for taps."""
        found: list[Wire] = decode(list[Wire], self._call('wires', None))
        return found

    def cleanup(self) -> tuple[str, ...]:
        """Have everything removed, and remove the state directory."""
        removed = tuple(self._call('cleanup', None))
        shutil.rmtree(os.path.join(self._settings.state_dir, 'networks'), ignore_errors=True)
        for name in ('indexes.json', 'indexes.json.new'):
            if os.path.exists(path := os.path.join(self._settings.state_dir, name)):
                os.unlink(path)
        return removed

    def listen(self, network_id: str) -> socket.socket | None:
        """Have the metadata socket opened inside the network's namespace."""
        with tempfile.TemporaryDirectory(prefix='compute-network-agent-') as folder, \
                socket.socket(socket.AF_UNIX) as answer:
            address = os.path.join(folder, 'answer')
            answer.bind(address)
            answer.listen(1)
            privileged.listen(names.namespace(network_id), address)
            connection, _ = answer.accept()
            with connection:
                _, descriptors, _, _ = socket.recv_fds(connection, 1, 1)
        return socket.socket(fileno=descriptors[0])

    def generation(self, network_id: str) -> int:
        """Return the number of the network's namespace."""
        try:
            return os.stat(f'/run/netns/{names.namespace(network_id)}').st_ino
        except FileNotFoundError:
            return 0

    def stop(self) -> None:
        """Let the privileged process end, unless another agent of this process uses it."""
        with self._lock:
            if self._joined:
                self._joined, self._name = False, ''
                privileged.leave()

    def _outcome(self, method: str, argument: Any) -> Outcome:
        outcome: Outcome = decode(Outcome, self._call(method, encode(argument)))
        return outcome

    def _call(self, method: str, argument: Any) -> Any:
        text = json.dumps(argument)
        with self._lock:
            try:
                reply = json.loads(privileged.plumb(self._name, method, text))
                if privileged.UNKNOWN in reply:
                    self._name = privileged.begin(json.dumps(encode(self._settings)))
                    reply = json.loads(privileged.plumb(self._name, method, text))
            except (OSError, ValueError, FailedToDropPrivileges) as error:
                raise exception.Unavailable(f'the privileged network process failed: {error}') from error
            except exception.Failed:
                LOG.critical('this agent ends, so that whoever started it gives it a new privileged process')
                signals.stop_this_process()
                raise
        if 'error' in reply:
            raise exception.Unavailable(reply['error'])
        return reply['result']
