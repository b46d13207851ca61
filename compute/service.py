"""Runs daemons: configuration, logs, RPC servers, HTTP, periodic tasks, systemd's notifications, a graceful stop.

A daemon is a class (``compute.<room>.daemon``) that says what it serves; ``Service`` runs one or, standalone, all of
them in this process. Order matters at both ends: a daemon serves before it reports itself, and stops taking work
before it closes what work needs.
"""

from __future__ import annotations

import gc
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_log import log

import compute
from compute import concurrency
from compute import conf as options
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
_QUIET = ('amqp=WARN', 'kombu=WARN', 'oslo.messaging=INFO', 'oslo_messaging=INFO', 'urllib3=WARN', 'requests=WARN',
          'keystoneauth=WARN', 'keystonemiddleware=WARN', 'sqlalchemy=WARN', 'alembic=WARN', 'pyroute2=WARN',
          'stevedore=WARN', 'routes=WARN', 'asyncio=WARN', 'oslo_messaging._drivers.impl_rabbit=WARN')


def configure(argv: list[str], program: str, extra: Callable[[Any], None] | None = None) -> cfg.ConfigOpts:
    """Read the configuration into the global ``cfg.CONF`` and set up logs. ``extra`` may register CLI options."""
    conf = cfg.CONF
    options.register(conf)
    log.register_options(conf)
    log.set_defaults(
        logging_context_format_string='%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s '
                                      '[%(global_request_id)s %(request_id)s %(project_id)s %(user)s] '
                                      '%(instance)s%(message)s',
        default_log_levels=[*log.get_default_log_levels(), *_QUIET])
    _messaging_defaults(conf)
    if extra is not None:
        extra(conf)
    conf(argv, project='compute', prog=program, version=version())
    log.setup(conf, 'compute', version())
    return conf


def _messaging_defaults(conf: cfg.ConfigOpts) -> None:
    import oslo_messaging
    oslo_messaging.set_transport_defaults(control_exchange='compute')
    from oslo_messaging._drivers import impl_rabbit
    # An attempt on a broker that is down costs kombu_reconnect_delay (twice) and rabbit_retry_interval (at least 1 s):
    # that is what a cast may hold up its caller (rpc.transport retries it once). Those who listen try for ever, every
    # rabbit_interval_max seconds, so that is how long the first message waits after the broker is back.
    cfg.set_defaults(impl_rabbit.rabbit_opts, heartbeat_timeout_threshold=30, heartbeat_rate=3,
                     kombu_reconnect_delay=0.1, rabbit_retry_interval=1, rabbit_retry_backoff=1, rabbit_interval_max=2)


def version() -> str:
    """Return the version of the installed package."""
    from importlib import metadata
    try:
        return metadata.version('compute')
    except metadata.PackageNotFoundError:
        return '0'


def load(name: str) -> Any:
    """Return the class of a daemon by its name in ``DAEMONS``."""
    module, _, cls = DAEMONS[name].partition(':')
    return getattr(importlib.import_module(module), cls)


class Service:
    """Daemons in one process, from start to stop."""

    def __init__(self, conf: cfg.ConfigOpts, names: list[str]) -> None:
        self.conf, self._names = conf, names
        self._rpc: Rpc | None = None
        self._daemons: list[Any] = []
        self._rpc_servers: list[Any] = []
        self._http: list[Any] = []
        self._stop = threading.Event()

    def start(self) -> None:
        """Bring every daemon up, in the order of ``names``: neighbours first, those who call them later."""
        self._rpc = Rpc(self.conf)
        concurrency.spawn(concurrency.hub_lag, self._stop, self.conf.hub_lag_warning, name='hub-lag')
        for name in self._names:
            daemon = load(name)(self.conf, self._rpc)
            daemon.prepare()
            self._daemons.append(daemon)
            self._serve_rpc(daemon)
            self._serve_http(daemon)
            daemon.start()
            LOG.info('%s runs (%s threads, version %s)', name, concurrency.backend(), version())

    def _serve_rpc(self, daemon: Any) -> None:
        assert self._rpc is not None
        servers = daemon.servers() if hasattr(daemon, 'servers') else (
            [(daemon.topic, self.conf.host, daemon.endpoints())] if daemon.topic else [])
        for topic, host, endpoints in servers:
            server = self._rpc.server(topic, host, endpoints)
            server.start()
            self._rpc_servers.append(server)

    def _serve_http(self, daemon: Any) -> None:
        if daemon.name is None:
            return
        from compute.rest import app
        check = daemon.check_token() if hasattr(daemon, 'check_token') else None
        lent = app.Lent(self.conf, daemon.applications(), check, daemon.health)
        path = self.conf.api_paste_config or default_paste()
        host, port = daemon.listen()
        server = concurrency.HttpServer(app.load(path, daemon.name, lent), host, port, self.conf.http_pool_size)
        server.start()
        self._http.append(server)

    def wait(self) -> None:
        """Return when somebody asked to stop."""
        while not self._stop.is_set():
            self._stop.wait(1)

    def ask_to_stop(self) -> None:
        """Let ``wait`` return."""
        self._stop.set()

    def stop(self) -> None:
        """Take no more requests, finish what runs, stop the daemons in reverse order, close the bus."""
        self._stop.set()
        for server in self._http:
            server.stop()
        for rpc_server in self._rpc_servers:
            rpc_server.stop()
        for daemon in reversed(self._daemons):
            try:
                daemon.stop()
            except Exception:
                LOG.exception('%s did not stop in order', type(daemon).__name__)
        for rpc_server in self._rpc_servers:
            rpc_server.wait()
        if self._rpc is not None:
            self._rpc.close()

    def health(self) -> list[str]:
        """Return what does not work, of all daemons."""
        return [problem for daemon in self._daemons for problem in daemon.health()]


def default_paste() -> str:
    """Return the pipelines that come with the package: installed beside it, or in the source tree."""
    beside = os.path.join(os.path.dirname(compute.__file__), '..', 'etc', 'compute', 'api-paste.ini')
    installed = os.path.join(sys.prefix, 'etc', 'compute', 'api-paste.ini')
    return os.path.abspath(beside if os.path.exists(beside) else installed)


def main(names: list[str], program: str, argv: list[str] | None = None,
         extra: Callable[[Any], None] | None = None) -> int:
    """Run daemons until a signal. SIGTERM and SIGINT stop gracefully, a second one at once; SIGHUP reloads options."""
    conf = configure(sys.argv[1:] if argv is None else argv, program, extra)
    service = Service(conf, names)
    _signals(service, conf)
    try:
        service.start()
    except Exception as error:
        LOG.critical('%s cannot start: %s', program, getattr(error, 'message', error), exc_info=True)
        service.stop()
        return 1
    _settle_memory()
    notify = Notifier(service)
    notify.start()
    service.wait()
    notify.stop()
    LOG.info('%s stops', program)
    _stop_within(service, conf.graceful_shutdown_timeout)
    return 0


def _settle_memory() -> None:
    """Leave what was loaded at the start out of every later collection: it stays, and walking it costs long answers."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20000, 20, 50)


def _signals(service: Service, conf: cfg.ConfigOpts) -> None:
    def stop(number: int, frame: Any) -> None:
        if service._stop.is_set():
            os._exit(128 + number)
        service.ask_to_stop()

    def reload(number: int, frame: Any) -> None:
        concurrency.spawn(conf.mutate_config_files, name='reload')
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reload)


def _stop_within(service: Service, seconds: float) -> None:
    thread = concurrency.spawn(service.stop, name='stop')
    thread.join(seconds)
    if thread.is_alive():
        LOG.warning('work was still running after %s s; it is taken up after the next start', seconds)
    logging.shutdown()
    os._exit(0)  # pools may hold threads in C calls that nobody can end


class Notifier:
    """Tells systemd that we are ready, alive, stopping; the watchdog is fed only while the thread hub turns."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._periodic: concurrency.Periodic | None = None

    def start(self) -> None:
        """Send READY=1 and begin to feed the watchdog, if there is one."""
        from oslo_service import systemd
        systemd.notify()
        interval = int(os.environ.get('WATCHDOG_USEC', '0')) / 1_000_000
        if interval:
            self._periodic = concurrency.Periodic(self._feed, interval / 3, name='watchdog', jitter=0).start()

    def stop(self) -> None:
        """Stop feeding and send STOPPING=1."""
        if self._periodic is not None:
            self._periodic.stop()
        self._send('STOPPING=1')

    def _feed(self) -> None:
        problems = self._service.health()
        status = '; '.join(problems)[:200] if problems else 'serving'
        self._send(f'WATCHDOG=1\nSTATUS={status}')

    @staticmethod
    def _send(message: str) -> None:
        from oslo_service import systemd
        systemd._sd_notify(False, message)
