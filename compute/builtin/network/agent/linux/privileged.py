"""What the agent does with privileges: entry points of oslo.privsep, which run in a process of their own.

That process has the capabilities it needs and no others, real threads (pyroute2 and ``setns`` want them, the agent
may be green), and no connection but the one to its agent. It is started before the agent makes its first thread, so
that all of the agent's threads can be without capabilities (``before_threads``). It ends with the agent; what it made
stays.

privsep's own ways of starting it do not fit (doc/decisions/0014_privileges.rst): ``Context`` does it.
Arguments and results are JSON, because msgpack makes other types of ours.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import uuid
from typing import Any

from oslo_privsep import daemon, priv_context

import compute
from compute import exception
from compute.builtin.network.agent.linux import capabilities, listener, namespaces
from compute.builtin.network.agent.linux.plumber import Plumber, settings_from
from compute.objects.value import decode, encode
from compute.objects.wiring import NetworkWiring

LOG = logging.getLogger(__name__)
PROGRAM = 'compute.cmd.network_agent_privileged'
PATIENCE = 600.0
UNKNOWN = 'unknown'


class Context(priv_context.PrivContext):
    """A context whose process is started with one end of a pair of sockets, by whoever has the capabilities."""

    process: subprocess.Popen[bytes] | None = None
    waiting: socket.socket | None = None

    def spawn(self) -> None:
        """Start the process. It is spoken to only at the first call, because that takes a thread."""
        ours, theirs = socket.socketpair()
        root = os.path.dirname(os.path.dirname(os.path.abspath(compute.__file__)))
        environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, [root, os.environ.get('PYTHONPATH')])),
                       'PATH': f'{os.environ.get("PATH", os.defpath)}:/usr/sbin:/sbin'}
        with theirs:
            self.process = subprocess.Popen([sys.executable, '-m', PROGRAM], stdin=theirs.fileno(),
                                            stdout=subprocess.DEVNULL, env=environment)
        self.waiting = ours

    def start(self, method: priv_context.Method = priv_context.Method.ROOTWRAP) -> None:
        """Speak to the process; where it has died, start another one, for which it takes capabilities."""
        with self.start_lock:
            if self.channel is not None:
                return
            if self.waiting is None:
                self.stop()
                if not capabilities.enough():
                    raise exception.Failed('the privileged process of the network agent has ended, and without '
                                           'capabilities it cannot be started again', code='privileged_process_gone')
                self.spawn()
            assert self.waiting is not None
            waiting, self.waiting = self.waiting, None
            self.channel = daemon._ClientChannel(waiting, self)

    def stop(self) -> None:
        """Let the process end, after what it does now."""
        if self.waiting is not None:
            self.waiting.close()
            self.waiting = None
        super().stop()
        if self.process is not None:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None


context = Context('compute.builtin.network.agent.linux', cfg_section='network_agent_privileged',
                  capabilities=capabilities.wanted(), timeout=PATIENCE)
_users = 0
_lock = threading.Lock()
_plumbers: dict[str, Plumber] = {}


def before_threads() -> None:
    """Start the privileged process and give up what this one has; call it while there is one thread."""
    if capabilities.enough():
        context.spawn()
    capabilities.give_up()


def join() -> None:
    """Note one who uses the process."""
    global _users
    with _lock:
        _users += 1


def leave() -> None:
    """Note that one uses it no more; the last one ends it."""
    global _users
    with _lock:
        _users -= 1
        if not _users:
            context.stop()


def ready() -> bool:
    """Tell whether there is a process, or can be one."""
    return context.process is not None or capabilities.enough()


@context.entrypoint
def begin(settings: str) -> str:
    """Make a plumber and return its name. It knows no networks yet."""
    name = str(uuid.uuid4())
    _plumbers[name] = Plumber(settings_from(json.loads(settings)))
    return name


@context.entrypoint
def end(name: str) -> None:
    """Forget a plumber."""
    _plumbers.pop(name, None)


@context.entrypoint
def plumb(name: str, method: str, argument: str) -> str:
    """Have a plumber do something; see ``Plumber``. Return JSON: a result, an error, or ``UNKNOWN`` plumber."""
    plumber = _plumbers.get(name)
    if plumber is None:
        return json.dumps({UNKNOWN: name})
    capabilities.pass_on()
    os.umask(0o022)
    try:
        return json.dumps({'result': _do(plumber, method, json.loads(argument))})
    except exception.ComputeError as error:
        return json.dumps({'error': error.message})
    except Exception as error:
        LOG.exception('plumbing failed')
        return json.dumps({'error': f'{type(error).__name__}: {error}'})


def _do(plumber: Plumber, method: str, argument: Any) -> Any:
    if method == 'apply':
        return encode(plumber.apply(decode(dict[str, NetworkWiring | None], argument)))
    if method == 'sync':
        return encode(plumber.sync(decode(list[NetworkWiring], argument)))
    if method == 'wires':
        return encode(plumber.wires())
    if method == 'cleanup':
        return list(plumber.cleanup())
    raise exception.Invalid(f'no such request: {method}')


@context.entrypoint
def listen(namespace: str, address: str) -> None:
    """Listen at the metadata address inside a namespace, and send the socket to the unix socket at ``address``."""
    with namespaces.run_in(namespace, listener.bound) as sock, socket.socket(socket.AF_UNIX) as answer:
        answer.connect(address)
        socket.send_fds(answer, [b'.'], [sock.fileno()])
