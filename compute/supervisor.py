"""Several processes of one REST daemon on one port: a small parent holds the socket and replaces them one at a time.

The parent (``python -m compute.supervisor DAEMON``) takes the place of a daemon with ``workers`` of more than one and
runs the daemon's own command line for each process, with the listening socket as systemd would pass it. A process that
ends is started again; SIGHUP replaces all of them, each only when its successor serves, so that no request is lost;
SIGTERM ends all. To systemd the parent speaks for the processes: READY when all serve, and its watchdog is fed while
it and each of them is alive.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_log import log

from compute import concurrency, http_server, journal, metrics_shared, notifier
from compute import conf as options

LOG = logging.getLogger(__name__)
_FIRST, _OUT_OF_THE_WAY = 3, 100
Address = tuple[str, int]
_LONG_LIFE = 10.0
_LAST_PAUSE = 15.0
_EXTENDS = 60  # seconds for which systemd is to wait on while the first processes start


def is_child() -> bool:
    """Tell whether this process was started by a supervisor."""
    return os.environ.get(http_server.PARENT) == str(os.getppid())


def take_over(name: str, arguments: list[str]) -> None:
    """Make this process the supervisor of ``name``: memory for the daemon itself is not needed here."""
    environment = {**os.environ, 'COMPUTE_COMMAND': json.dumps(sys.orig_argv[1:])}
    os.execve(sys.executable, [sys.executable, '-m', 'compute.supervisor', name, *arguments], environment)


class Child:
    """One process of the daemon."""

    def __init__(self, pid: int, voice: socket.socket, metrics: Path | None) -> None:
        self.pid, self.voice, self.metrics = pid, voice, metrics
        self.ready = self.told = False
        self.since = self.heard = time.monotonic()

    def listen(self) -> None:
        """Take in what it says to its NOTIFY_SOCKET."""
        while select.select([self.voice], [], [], 0)[0]:
            words = self.voice.recv(4096).decode(errors='replace').splitlines()
            self.heard = time.monotonic()
            self.ready = self.ready or 'READY=1' in words

    def tell(self, number: int) -> None:
        """Send it a signal."""
        self.told = self.told or number == signal.SIGTERM
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            LOG.debug('process %d has ended already', self.pid)


class Supervisor:
    """The parent of ``count`` processes. ``shares``: they answer for one another at /metrics."""

    def __init__(self, name: str, command: list[str], addresses: list[Address], count: int, grace: float,
                 shares: bool) -> None:
        self._name, self._command, self._count, self._grace = name, command, count, grace
        given = [http_server.inherited(host, port) for host, port in addresses]
        self._listeners = [each or http_server.listen(*address) for each, address in zip(given, addresses, strict=True)]
        self._own = [each for each in self._listeners if each not in given]
        # Copies whose numbers are none of those that a process finds them at: none is overwritten by another.
        self._descriptors = [fcntl.fcntl(each.fileno(), fcntl.F_DUPFD_CLOEXEC, _OUT_OF_THE_WAY)
                             for each in self._listeners]
        self._metrics = Path(tempfile.mkdtemp(prefix='compute-metrics-')) if shares else None
        self._children: list[Child] = []
        self._stopping = 0.0
        self._hurry = self._told = False
        self._served = self._renew = self._failed = False
        self._old: list[Child] = []
        self._new: Child | None = None
        self._next_start = self._pause = 0.0
        self._watchdog = int(os.environ.get('WATCHDOG_USEC', '0')) / 1_000_000
        self._fed, self._extended = 0.0, float('-inf')

    def run(self) -> int:
        """Keep the processes running until SIGTERM; return the exit status."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_renew)
        while True:
            if self._bury() and not (self._served or self._failed or self._stopping):
                self._failed = True
                self._on_stop(signal.SIGTERM, None)
                LOG.critical('%s: a process could not start', self._name)
            if self._stopping:
                self._stop()
                if self._end():
                    if self._metrics is not None:
                        shutil.rmtree(self._metrics, ignore_errors=True)
                    return 1 if self._failed else 0
            self._keep_up()
            self._listen()
            self._replace()
            self._say()

    def _on_stop(self, number: int, frame: Any) -> None:
        self._hurry = bool(self._stopping)
        self._stopping = self._stopping or time.monotonic()

    def _stop(self) -> None:
        """Tell all to stop; one that was told already, to be replaced, would take a second word for haste."""
        if not self._told:
            self._told = True
            notifier.send('STOPPING=1')
            for own in self._own:  # so that who comes now is refused, not kept waiting for the last process
                own.close()
            for number in self._descriptors:
                os.close(number)
        for child in self._children:
            if self._hurry:
                child.tell(signal.SIGKILL)
            elif not child.told:
                child.tell(signal.SIGTERM)

    def _on_renew(self, number: int, frame: Any) -> None:
        self._renew = True

    def _end(self) -> bool:
        """Tell whether all have ended; those that do not within their time are killed."""
        if self._children and time.monotonic() > self._stopping + self._grace:
            for child in self._children:
                child.tell(signal.SIGKILL)
        return not self._children

    def _bury(self) -> bool:
        """Forget processes that ended; tell whether one did so by itself and unwell."""
        failed = False
        for child in list(self._children):
            pid, status = os.waitpid(child.pid, os.WNOHANG)
            if not pid:
                continue
            self._children.remove(child)
            child.voice.close()
            if child.metrics is not None:
                metrics_shared.bury(child.metrics)
            if child.told:
                continue
            failed = True
            LOG.error('%s: process %d ended by itself with status %d', self._name, pid,
                      os.waitstatus_to_exitcode(status))
            short = time.monotonic() - child.since < _LONG_LIFE
            self._pause = min(max(1.0, self._pause * 2), _LAST_PAUSE) if short else 0.0
            self._next_start = time.monotonic() + self._pause
        return failed

    def _keep_up(self) -> None:
        """Start what is missing. One that is to replace another does not count yet."""
        there = [child for child in self._children if not child.told and child is not self._new]
        if not self._stopping and time.monotonic() >= self._next_start:
            for _ in range(self._count - len(there)):
                self._start()

    def _start(self, replaces: bool = False) -> Child:
        voice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = f'compute-{os.getpid()}-{secrets.token_hex(8)}'
        voice.bind(f'\0{name}')
        metrics = self._metrics / f'{name}.json' if self._metrics else None
        environment = {**os.environ, http_server.PARENT: str(os.getpid()), 'LISTEN_PID': 'parent',
                       'LISTEN_FDS': str(len(self._descriptors)),
                       http_server.OWN: ','.join(str(each.getsockname()[1]) for each in self._own),
                       'NOTIFY_SOCKET': f'@{name}'}
        if replaces:
            environment[notifier.REPLACES] = '1'
        if metrics is not None:
            environment[metrics_shared.FILE] = str(metrics)
        actions = [(os.POSIX_SPAWN_DUP2, each, number) for number, each in enumerate(self._descriptors, _FIRST)]
        pid = os.posix_spawn(sys.executable, [sys.executable, *self._command], environment, file_actions=actions,
                             setpgroup=0)  # a terminal's Ctrl-C is the parent's to hand on, once
        child = Child(pid, voice, metrics)
        self._children.append(child)
        LOG.info('%s: process %d is started', self._name, pid)
        return child

    def _listen(self) -> None:
        voices = [child.voice for child in self._children]
        try:
            select.select(voices, [], [], 0.2)
        except InterruptedError:
            return
        for child in self._children:
            child.listen()
            if self._watchdog and time.monotonic() - child.heard > max(self._watchdog, 5) and not child.told:
                LOG.error('%s: process %d has not been heard for long and is ended', self._name, child.pid)
                child.heard = time.monotonic()
                child.tell(signal.SIGABRT)

    def _replace(self) -> None:
        """Do one step of a replacement: start a new process, and when it serves let an old one go."""
        if self._renew:
            self._renew, self._old = False, [child for child in self._children if not child.told]
        self._old = [child for child in self._old if child in self._children and not child.told]
        if self._new is not None and self._new not in self._children:
            self._new = None  # it could not start: once more, after a pause
        if self._stopping or time.monotonic() < self._next_start:
            return
        if self._new is not None and self._new.ready and self._old:
            self._old.pop(0).tell(signal.SIGTERM)
            self._new = None
        elif self._new is None and self._old and not any(child.told for child in self._children):
            self._new = self._start(replaces=True)

    def _say(self) -> None:
        ready = sum(1 for child in self._children if child.ready and not child.told)
        if ready >= self._count and not self._served:
            self._served = True
            notifier.send(f'READY=1\nSTATUS={ready} of {self._count} processes serve')
        if not self._served and time.monotonic() - self._extended > _EXTENDS / 2:
            self._extended = time.monotonic()
            notifier.send(f'EXTEND_TIMEOUT_USEC={_EXTENDS * 1_000_000}')
        if self._watchdog and time.monotonic() - self._fed > self._watchdog / 3:
            self._fed = time.monotonic()
            notifier.send(f'WATCHDOG=1\nSTATUS={ready} of {self._count} processes serve')


def main() -> int:
    """Run the supervisor of the daemon named first, with its command line."""
    concurrency.patch(concurrency.THREADING)
    name, arguments = sys.argv[1], sys.argv[2:]
    conf = cfg.ConfigOpts()
    options.register(conf)
    log.register_options(conf)
    conf(arguments, project='compute', prog=f'compute-{name}')
    journal.prepare(conf)
    log.setup(conf, 'compute')
    group = conf[name]
    command = json.loads(os.environ.pop('COMPUTE_COMMAND'))
    addresses = [(group.listen_host, group.listen_port)]
    if conf.health.listen_port:  # whichever process takes a request speaks for all
        addresses.append((conf.health.listen_host, conf.health.listen_port))
    return Supervisor(name, command, addresses, group.workers, conf.graceful_shutdown_timeout + 5,
                      bool(conf.health.listen_port)).run()


if __name__ == '__main__':
    sys.exit(main())
