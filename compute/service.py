"""Runs daemons: configuration, logs, RPC servers, HTTP, periodic tasks, systemd's notifications, a graceful stop.

A daemon is a class (``compute.<room>.daemon``) that says what it serves; ``Service`` runs one or, standalone, all of
them in this process. Order matters at both ends: a daemon serves before it reports itself, and stops taking work
before it closes what work needs.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from oslo_config import cfg

import compute
from compute import concurrency, exception, lag, memory, metrics, metrics_shared, signals, supervisor, tracing
from compute.configure import configure
from compute.health import DOWN, Finding, Report, merged, release, samples
from compute.http.rules import MAX_BODY, Rules
from compute.http_server import HttpServer, allow_descriptors
from compute.notifier import Notifier, replaces
from compute.rest.admin import Admin
from compute.rest.door import Door
from compute.rest.middleware.size_limit import body_limit
from compute.rpc.transport import Rpc

LOG = logging.getLogger(__name__)
DAEMONS = {
    'identity': 'compute.builtin.identity.daemon:IdentityDaemon',
    'image': 'compute.builtin.image.daemon:ImageDaemon',
    'network': 'compute.builtin.network.daemon:NetworkDaemon',
    'conductor': 'compute.conductor.daemon:ConductorDaemon',
    'scheduler': 'compute.scheduler.daemon:SchedulerDaemon',
    'api': 'compute.api.daemon:ApiDaemon',
    'metadata': 'compute.metadata.daemon:MetadataDaemon',
    'network_agent': 'compute.builtin.network.agent.daemon:NetworkAgentDaemon',
    'worker': 'compute.worker.daemon:WorkerDaemon',
}
_ADMINS = 8
# Seconds: until a start that waits is told to HTTP clients, and how much later where others may serve them; kept of a
# stop for handing back, and for each HTTP server that is still to be ended; until messages that a handler in a long
# call keeps from others are given back.
_EXPLAIN_AFTER, _SILENT = 5.0, 30.0
_RESERVE = 2.0
_SHARE = 1.0
_LOOK = 0.2
_RPC_PATIENCE = 5.0


def load(name: str) -> Any:
    """Return the class of a daemon by its name in ``DAEMONS``."""
    module, _, cls = DAEMONS[name].partition(':')
    return getattr(importlib.import_module(module), cls)


class Served:
    """One daemon of a process, and what it serves."""

    def __init__(self, name: str, daemon: Any) -> None:
        self.name, self.daemon = name, daemon
        self.door: Door | None = None
        self.http: HttpServer | None = None
        self.rpc: list[Any] = []
        self.prepared = False


class Service:
    """Daemons in one process, from start to stop."""

    def __init__(self, conf: cfg.ConfigOpts, names: list[str]) -> None:
        self.conf, self._names = conf, names
        self._rpc: Rpc | None = None
        self._served: list[Served] = []
        self._admin: HttpServer | None = None
        self._stop = threading.Event()
        self._waits_for = ''
        self.serving = threading.Event()
        self.failure: BaseException | None = None
        self._unwatch: Callable[[], Any] = bool

    def begin(self) -> None:
        """Bind every port, so that one in use is known at once, and start the daemons in a thread of their own."""
        tracing.start(self.conf, self._names)
        self._serve_admin()
        self._rpc = Rpc(self.conf)
        metrics.set_value('compute_build_info', 1, release(), concurrency.backend(), ','.join(self._names))
        self._unwatch = metrics.source('health', lambda: samples(self.report()))
        concurrency.spawn(lag.watch, self._stop, self.conf.hub_lag_warning, name='hub-lag')
        for name in self._names:
            self._served.append(self._bind(Served(name, load(name)(self.conf, self._rpc))))
        concurrency.spawn(self._start_all, name='start')
        concurrency.spawn(self._explain, name='explain')

    def _serve_admin(self) -> None:
        """Say how we are, before anything that may have to wait."""
        options = self.conf.health
        if options.listen_port:
            self._admin = HttpServer(Admin(self.report), options.listen_host, options.listen_port, _ADMINS,
                                     Rules.of(self.conf.http, MAX_BODY))
            self._admin.start()

    def _bind(self, served: Served) -> Served:
        daemon = served.daemon
        if daemon.name is not None:
            host, port = daemon.listen()
            served.door = Door(self.health)
            rules = Rules.of(self.conf.http, body_limit(self.conf), getattr(daemon, 'is_stream', None))
            served.http = HttpServer(served.door, host, port, self.conf.http_pool_size, rules)
        return served

    def _start_all(self) -> None:
        """Bring every daemon up, in the order of ``names``: neighbours first, those who call them later."""
        try:
            for served in self._served:
                if not self._start(served):
                    return
            lag.LAG.forget()
            self.serving.set()
        except BaseException as error:  # also eventlet's Timeout: a daemon that is half started is of no use
            if self.stopping:  # what was being waited for was given up
                LOG.debug('the start was broken off: %s', error)
                return
            self.failure = error
            self._stop.set()

    def _start(self, served: Served) -> bool:
        """Start one daemon; False when we are told to stop meanwhile. It serves before it reports itself."""
        if not self._patiently(served.daemon.prepare):
            return False
        served.prepared = True
        self._open(served)
        if not self._serve_rpc(served):
            return False
        served.daemon.start()
        LOG.info('%s runs (%s threads, version %s)', served.name, concurrency.backend(), release())
        return True

    def _patiently(self, prepare: Callable[[], Any]) -> bool:
        """Do what needs the database or another store, again until it is there; False when we are told to stop."""
        pause = 0.3
        while not self._stop.is_set():
            try:
                prepare()
                self._waits_for = ''
                return True
            except exception.Unavailable as error:
                self._waits_for = error.message
                LOG.warning('the start waits: %s', error.message)
            self._stop.wait(pause * random.uniform(0.7, 1.3))
            pause = min(pause * 2, 5.0)
        return False

    def _serve_rpc(self, served: Served) -> bool:
        """Start the RPC servers, all at once; the library waits for the broker itself."""
        daemon = served.daemon
        wanted = daemon.servers() if hasattr(daemon, 'servers') else (
            [(daemon.topic, self.conf.host, daemon.endpoints())] if daemon.topic else [])
        assert self._rpc is not None
        servers = [self._rpc.server(topic, host, endpoints) for topic, host, endpoints in wanted]
        failures: list[BaseException] = []

        def begin(server: Any) -> None:
            try:
                server.start()
                served.rpc.append(server)
            except BaseException as error:
                failures.append(error)
                raise
        threads = [concurrency.spawn(begin, server, name='rpc-start') for server in servers]
        since = time.monotonic()
        while any(thread.is_alive() for thread in threads) and not self._stop.is_set():
            if time.monotonic() - since > 2 and not self._waits_for:
                self._waits_for = 'The message broker does not answer'
                LOG.warning('the start waits: %s', self._waits_for)
            threads[0].join(0.05)
            threads = [thread for thread in threads if thread.is_alive()] or threads[:1]
        self._waits_for = ''
        if len(served.rpc) < len(servers) and not self._stop.is_set():
            raise exception.ComputeError(f'an RPC server could not be started: {failures[:1] or "see the log"}')
        return not self._stop.is_set()

    def _open(self, served: Served) -> None:
        if served.door is None or served.http is None:
            return
        from compute.rest import app
        daemon = served.daemon
        check = daemon.check_token() if hasattr(daemon, 'check_token') else None
        lent = app.Lent(self.conf, daemon.applications(), check, self._health_of(served))
        served.door.open(app.load(self.conf.api_paste_config or default_paste(), daemon.name, lent))
        served.http.start()

    def _explain(self) -> None:
        """Answer 503 with the reason where a start takes long. Until then clients wait, and mostly not in vain."""
        if replaces():
            return  # the process that this one is to replace serves on the same socket, and answers better
        self._stop.wait(_EXPLAIN_AFTER)
        https = [served.http for served in self._served if served.http is not None]
        self._answer([http for http in https if not http.given])
        # On a socket that others may serve too there is something to say only when something is missing.
        until = time.monotonic() + _SILENT
        while not (self._waits_for or self.serving.is_set() or self.stopping) and time.monotonic() < until:
            self._stop.wait(_LOOK)
        self._answer(https)

    def _answer(self, https: list[HttpServer]) -> None:
        for http in https:
            if not self.stopping:
                http.start()

    def wait(self) -> None:
        """Return when somebody asked to stop, or the start failed."""
        while not self._stop.is_set():
            self._stop.wait(1)

    def settle(self) -> None:
        """Keep memory in order from when it serves until somebody asks it to stop."""
        memory.settle(self.serving, self._stop)

    def ask_to_stop(self) -> None:
        """Let ``wait`` return."""
        self._stop.set()

    @property
    def stopping(self) -> bool:
        """Whether somebody asked to stop."""
        return self._stop.is_set()

    def stop(self, seconds: float = 10.0) -> None:
        """End in order within ``seconds``: no more new work, then what runs is finished or handed back.

        The Compute API goes first, then the daemons in reverse order: each needs those that started before it.
        """
        self._stop.set()
        self._unwatch()
        until = time.monotonic() + seconds - min(_RESERVE, seconds / 2)
        for served in self._served:
            if served.http is not None:
                served.http.last_answers()
        threading.Event().wait(min(self.conf.http_drain, seconds / 2) if self._have_http() else 0)
        order = sorted(reversed(self._served), key=lambda each: each.name != 'api')
        for number, served in enumerate(order, 1):
            others = sum(1 for each in order[number:] if each.http is not None)
            self._stop_one(served, max(until - others * _SHARE, min(until, time.monotonic() + _SHARE)))
        if self._admin is not None:
            _end_http('the health listener', self._admin.stop)
        if self._rpc is not None:
            self._rpc.close()
        metrics.keep()
        tracing.stop(max(0.2, min(_RESERVE, until + _RESERVE - time.monotonic()) / 2))

    def _have_http(self) -> bool:
        return self.serving.is_set() and any(served.http is not None for served in self._served)

    def _stop_one(self, served: Served, until: float) -> None:
        ends = [concurrency.spawn(_end_rpc, server, until, name='rpc-stop') for server in list(served.rpc)]
        if served.http is not None:
            _end_http(served.name, partial(served.http.drain, self.conf.http_idle_grace, until))
        for thread in ends:
            thread.join(max(0.1, until - time.monotonic()))
        for step in ('finish', 'stop') if served.prepared else ():
            try:
                if step == 'stop':
                    served.daemon.stop()
                elif hasattr(served.daemon, 'finish'):
                    served.daemon.finish(until)
            except Exception:
                LOG.exception('%s did not %s in order', served.name, step)

    def health(self) -> list[str]:
        """Return what does not work, of all daemons."""
        problems = self._own_problems() + [problem for served in self._served if served.prepared
                                           for problem in served.daemon.health()]
        return problems or ([] if self.serving.is_set() else ['it is starting'])

    def _own_problems(self) -> list[str]:
        if self.stopping:
            return ['it is stopping']
        waits = self._waits_for
        return [f'it waits: {waits}'] if waits else []

    def report(self) -> Report:
        """Return all that is known of this process, for operators."""
        running = [served.daemon for served in self._served if served.prepared]
        problems = self._own_problems() or ([] if self.serving.is_set() else ['it is starting'])
        own = Report(findings=tuple(Finding(probe='process', state=DOWN, reason=problem) for problem in problems))
        return merged([own, *(daemon.watch.report() for daemon in running)])

    def _health_of(self, served: Served) -> Callable[[], list[str]]:
        return lambda: self._own_problems() + served.daemon.health()


def _end_http(name: str, end: Callable[[], bool]) -> None:
    try:
        if not end():
            LOG.warning('%s: requests were still running and are cut off', name)
    except Exception:
        LOG.exception('%s did not end its HTTP server in order', name)


def _end_rpc(server: Any, until: float) -> None:
    """Take no more messages, and give back those that were not begun: they are the connection's, so that has to go."""
    server.stop()
    waiting = concurrency.spawn(server.wait, name='rpc-wait')
    waiting.join(min(_RPC_PATIENCE, max(0.1, until - time.monotonic())))
    if waiting.is_alive():
        server.listener.cleanup()


def default_paste() -> str:
    """Return the pipelines that come with the package: installed beside it, or in the source tree."""
    beside = os.path.join(os.path.dirname(compute.__file__), '..', 'etc', 'compute', 'api-paste.ini')
    installed = os.path.join(sys.prefix, 'etc', 'compute', 'api-paste.ini')
    return os.path.abspath(beside if os.path.exists(beside) else installed)


def main(names: list[str], program: str, argv: list[str] | None = None,
         extra: Callable[[Any], None] | None = None, *, description: str | None = None,
         epilog: str | None = None) -> int:
    """Run daemons until a signal; ``extra``, ``description`` and ``epilog`` as in ``configure``.

    SIGTERM and SIGINT stop gracefully, a second one at once; SIGHUP reloads options.
    """
    arguments = sys.argv[1:] if argv is None else argv
    conf = configure(arguments, program, extra, description=description, epilog=epilog)
    if len(names) == 1 and getattr(conf[names[0]], 'workers', 1) > 1 and not supervisor.is_child():
        supervisor.take_over(names[0], arguments)
    for cls in map(load, names):
        if hasattr(cls, 'before_threads'):
            cls.before_threads(conf)
    allow_descriptors()
    service = Service(conf, names)
    notify = Notifier(service)
    signals.obey(service.ask_to_stop, conf.mutate_config_files)
    try:
        service.begin()
        notify.start()
        if supervisor.is_child():
            concurrency.spawn(_outlive_nobody, service, name='parent')
            if path := os.environ.get(metrics_shared.FILE):
                concurrency.spawn(metrics.share, path, name='metrics-share')
        concurrency.spawn(service.settle, name='memory')
        service.wait()
    except Exception as error:
        service.failure = error
    if service.failure is not None:
        LOG.critical('%s cannot start: %s', program, getattr(service.failure, 'message', service.failure),
                     exc_info=service.failure)
    notify.stop()
    LOG.info('%s stops', program)
    return _stop_within(service, conf.graceful_shutdown_timeout)


def _outlive_nobody(service: Service) -> None:
    """Stop when the parent of several processes has gone: nobody could replace or end us any more."""
    while supervisor.is_child() and not service.stopping:
        threading.Event().wait(1)
    service.ask_to_stop()


def _stop_within(service: Service, seconds: float) -> int:
    thread = concurrency.spawn(service.stop, seconds, name='stop')
    thread.join(seconds)
    if thread.is_alive():
        LOG.warning('work was still running after %s s; it is taken up by others or after the next start', seconds)
    logging.shutdown()
    os._exit(1 if service.failure is not None else 0)  # pools may hold threads in C calls that nobody can end
