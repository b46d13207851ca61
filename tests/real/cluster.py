"""The product as a cluster: each daemon a process with a configuration of its own, RabbitMQ, MariaDB, fake hypervisors.

A test may kill, pause and start each of them by name (``conductor``, ``conductor2``, ``worker`` ...). ``wrong()`` looks
into the stores and the hypervisors' folders and says what does not agree: that is what must hold after every fault.
"""

from __future__ import annotations

import collections
import contextlib
import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import requests
import sqlalchemy as sa
from oslo_config import cfg

from compute.conf import database as database_options
from compute.db import claims_audit
from compute.db.session import Database
from compute.db.tables import instances, operations, usages
from tests import threads
from tests.functional.standalone import NAMES, ROOT, SERVICE_PASSWORD, SERVICES, Client, Cloud, wait_for
from tests.ports import free_ports
from tests.real.cluster_services import DATABASES, Broker, MariaDb
from tests.waiting import LONG, Timer

ORDER = ('identity', 'image', 'network', 'conductor', 'scheduler', 'api', 'network_agent', 'worker')
HOSTLESS = ('network_agent', 'worker')
_STORES = {'identity': ['identity'], 'image': ['image'], 'network': ['network'], 'conductor': ['compute'],
           'scheduler': ['compute'], 'api': ['compute']}
_SERVES = {'identity': 'identity', 'image': 'image', 'network': 'network', 'api': 'compute'}
_RUN = 'import sys; from compute.cmd.{0} import main; sys.exit(main())'


@functools.cache
def _of_units() -> dict[str, str]:
    """Return the variables that each unit of a daemon sets: an operator's daemons have them."""
    text = (ROOT / 'etc/systemd/compute-.service.d/10-every-daemon.conf').read_text()
    return dict(pair.split('=', 1) for line in re.findall('^Environment=(.*)$', text, re.MULTILINE)
                for pair in line.split())


class Daemon:
    """One process. ``name`` is its kind, with a number where there are several."""

    def __init__(self, folder: Path, name: str, kind: str, concurrency: str, program: list[str]) -> None:
        self.name, self.kind, self.concurrency, self._program = name, kind, concurrency, program
        self.conf, self.log, self.output = (folder / f'{name}.{end}' for end in ('conf', 'log', 'output'))
        self.process: subprocess.Popen[bytes] | None = None
        self.health_port = 0
        self.listener: socket.socket | None = None
        self._told = False

    def health(self) -> tuple[int, str]:
        """Return status and text of its /healthcheck; 0 while nobody listens."""
        try:
            answer = requests.get(f'http://127.0.0.1:{self.health_port}/healthcheck', timeout=LONG)
        except requests.ConnectionError:
            return 0, ''
        return answer.status_code, answer.text

    def start(self, wait: bool = True) -> None:
        """Run it and return when it serves."""
        environment = {**os.environ, **_of_units(), 'COMPUTE_CONCURRENCY': self.concurrency, 'PYTHONWARNINGS': 'ignore'}
        self._told = False
        self._mark = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, *self._program, '--config-file', str(self.conf)]
        passed: tuple[int, ...] = ()
        if self.listener is not None:  # as systemd does it
            environment['LISTEN_FDS'], passed = '1', (self.listener.fileno(),)
            command = ['/bin/bash', '-c', f'exec 3<&{passed[0]}; LISTEN_PID=$$ exec "$@"', 'bash', *command]
        with open(self.output, 'ab') as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=ROOT,
                                            pass_fds=passed)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Return when it serves."""
        wait_for(self._runs, 150, f'{self.name}')

    def _runs(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f'{self.name} ended: {self.said()[-3000:]} {self.output.read_text()[-1000:]}')
        return f'{self.kind} runs' in self.said()

    def said(self) -> str:
        """Return what it logged since its last start."""
        return self.log.read_bytes()[self._mark:].decode() if self.log.exists() else ''

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self._told = self._told or number == signal.SIGTERM
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, once: a second one would end it at once; return the exit status."""
        assert self.process is not None
        if self.process.poll() is None and not self._told:
            self.signal(signal.SIGTERM)
        return self.process.wait(LONG)

    def threads(self) -> int:
        """Return how many threads of the kernel's it has now."""
        assert self.process is not None
        return len(os.listdir(f'/proc/{self.process.pid}/task'))


class Cluster:
    """All of it in one folder. ``url()`` makes it what ``Client`` needs."""

    def __init__(self, folder: Path, concurrency: str = threads.GREEN, *, spawn_delay: float = 2.0) -> None:
        self.folder, self.concurrency, self._spawn_delay = folder, concurrency, spawn_delay
        ports = free_ports(10)
        self.ports = dict(zip((*SERVICES, 'compute2', 'metadata'), ports, strict=False))
        self.broker = Broker(folder / 'mq', ports[6:9])
        self.mariadb = MariaDb(folder / 'db', ports[9])
        self.daemons: dict[str, Daemon] = {}
        self.held: dict[str, socket.socket] = {}
        conf = cfg.ConfigOpts()
        conf.register_opts(database_options.OPTS, database_options.GROUP)
        conf([])
        self.stores = {name: Database(self.mariadb.url(name), conf.database) for name in DATABASES}

    def url(self, service: str) -> str:
        """Return the base of a service's URLs; ``compute2`` is the second API."""
        return f'http://127.0.0.1:{self.ports[service]}{SERVICES[service.rstrip("2")]}'

    # -- set up --

    def hold(self) -> None:
        """Keep the listening sockets of the REST daemons for them; those of a kind share one. Call it first."""
        for kind, service in _SERVES.items():
            self.held[kind] = socket.create_server(('127.0.0.1', self.ports[service]), backlog=500)

    def start(self, names: Iterable[str] = ORDER, settings: dict[str, dict[str, dict[str, Any]]] | None = None,
              green: str = '') -> None:
        """Run everything, once each, or what is named; ``settings`` by kind. Names that end in ``green`` are so."""
        self.mariadb.start()
        self.broker.start()
        for name in names:
            added = self.add(name, **(settings or {}).get(name.rstrip('0123456789'), {}))
            added.concurrency = 'eventlet' if green and name.endswith(green) else added.concurrency
        self._bootstrap()
        for daemon in self.daemons.values():
            daemon.start(wait=False)
        for daemon in self.daemons.values():
            daemon.wait()

    def _bootstrap(self) -> None:
        path = self.folder / 'bootstrap.conf'
        path.write_text(f'[database]\nidentity_connection = {self.mariadb.url("identity")}\n')
        catalog = {kind: {'name': NAMES[kind], **dict.fromkeys(('public', 'internal', 'admin'), self.url(kind))}
                   for kind in SERVICES}
        subprocess.run([sys.executable, '-W', 'ignore', '-m', 'tests.functional.bootstrap', str(path),
                        json.dumps(catalog)], check=True, timeout=LONG, cwd=ROOT)

    def add(self, name: str, host: str | None = None, **overrides: dict[str, Any]) -> Daemon:
        """Write the configuration of a further daemon; it does not run yet."""
        kind = name.rstrip('0123456789')
        number = name[len(kind):]
        host = host or (f'node{number or 1}' if kind in HOSTLESS else f'controller{number or 1}')
        daemon = self.daemons[name] = Daemon(self.folder, name, kind, self.concurrency, self.program(name, kind))
        daemon.health_port, = free_ports(1)
        daemon.listener = self.held.get(kind)
        groups = self._groups(name, kind, host, daemon)
        for group, options in overrides.items():
            groups.setdefault(group, {}).update(options)
        lines = []
        for group, options in groups.items():
            lines += [f'[{group}]', *(f'{option} = {value}' for option, value in options.items())]
        daemon.conf.write_text('\n'.join(lines) + '\n')
        return daemon

    def program(self, name: str, kind: str) -> list[str]:
        """Return what Python is told to run as a daemon."""
        return ['-c', _RUN.format(kind)]

    def _groups(self, name: str, kind: str, host: str, daemon: Daemon) -> dict[str, dict[str, Any]]:
        groups: dict[str, dict[str, Any]] = {
            'DEFAULT': {'host': host, 'transport_url': self.broker.url, 'log_file': daemon.log, 'debug': True,
                        'graceful_shutdown_timeout': 10, 'http_idle_grace': 0.2},
            'health': {'listen_port': daemon.health_port},
            'auth': {'url': self.url('identity')}, 'service_user': {'password': SERVICE_PASSWORD}}
        own = {
            'identity': {'identity': {'key_repository': self.folder / 'keys', 'password_hash_rounds': 4}},
            'image': {'image': {'store_path': self.folder / 'images'}},
            'conductor': {}, 'scheduler': {'scheduler': {'heartbeat_interval': 2}}, 'network': {},
            'api': {'quota': dict.fromkeys(('instances', 'cores', 'ram'), 100000)},
            'network_agent': {'network_agent': {'driver': 'fake', 'state_dir': self.folder / f'agent-{host}',
                                                'metadata_shared_secret': 'x', 'heartbeat_interval': 2,
                                                'resync_interval': 20}},
            'worker': {'virt': {'driver': 'fake'}, 'fake': {'state_dir': self.folder / 'guests',
                                                            'spawn_delay': self._spawn_delay},
                       'worker': {'state_path': self.folder / 'worker', 'heartbeat_interval': 1,
                                  'vif_plug_timeout': 60}}}
        groups.update(own[kind])  # type: ignore[arg-type]
        if kind in _STORES:
            groups['database'] = {DATABASES[store]: self.mariadb.url(store) for store in _STORES[kind]}
            groups['database']['idle_transaction_timeout'] = 3
        if kind in ('conductor', 'api', 'scheduler'):
            groups['conductor'] = {'lease': 8, 'begin_timeout': 4, 'reaper_interval': 0.5, 'heartbeat_interval': 2,
                                   'service_down_time': 30}
        services = {**_SERVES, 'api2': 'compute2'}
        if kind in self.held:
            groups.setdefault(kind, {}).update(listen_port=self.ports[_SERVES[kind]], listen_host='127.0.0.1')
        elif name in services:
            groups.setdefault(kind, {})['listen_port'] = self.ports[services[name]]
            groups[kind]['listen_host'] = '127.0.0.1'
        return groups

    # -- faults --

    def __getitem__(self, name: str) -> Daemon:
        return self.daemons[name]

    def kill(self, *names: str) -> None:
        """SIGKILL daemons."""
        for name in names:
            self[name].kill()

    def begin(self, *names: str) -> None:
        """Start daemons and return when they serve."""
        for name in names:
            self[name].start(wait=False)
        for name in names:
            self[name].wait()

    def pause(self, *names: str) -> None:
        """SIGSTOP daemons."""
        for name in names:
            self[name].signal(signal.SIGSTOP)

    def resume(self, *names: str) -> None:
        """SIGCONT daemons."""
        for name in names:
            self[name].signal(signal.SIGCONT)

    def use(self, concurrency: str) -> None:
        """Run every daemon on green or native threads from now on; those that run otherwise are started anew."""
        others = [name for name, each in self.daemons.items() if each.concurrency != concurrency
                  and each.process is not None and each.process.poll() is None]
        for name in others:
            self[name].signal(signal.SIGTERM)
        for name in others:
            self[name].stop()
        self.concurrency = concurrency
        for each in self.daemons.values():
            each.concurrency = concurrency
        self.begin(*others)

    def remove(self) -> None:
        """End every process."""
        for daemon in self.daemons.values():
            if daemon.process is not None:
                daemon.kill()
        for listener in self.held.values():
            listener.close()
        for store in self.stores.values():
            store.dispose()
        self.broker.remove()
        self.mariadb.kill()

    # -- what is --

    def guests(self) -> dict[str, list[str]]:
        """Return the hosts on which each guest is, by uuid."""
        found: dict[str, list[str]] = {}
        for path in (self.folder / 'guests').glob('*/*.json'):
            found.setdefault(path.stem, []).append(path.parent.name)
        return found

    def row(self, table: sa.Table, *where: Any) -> Any:
        """Return the first row of a table in the store of compute."""
        return self.stores['compute'].row(sa.select(table).where(*where))

    def open_operations(self) -> list[str]:
        """Return what has not ended."""
        query = sa.select(operations).where(operations.c.state.in_(('queued', 'running')))
        return [f'{row.id} {row.kind} of {row.instance_uuid}: {row.state} at {row.stage}, owner {row.owner}, host '
                f'{row.host}' for row in self.stores['compute'].rows(query)]

    def wrong(self) -> list[str]:
        """Return what does not agree between ledger, claims, quotas, guests and ports."""
        store = self.stores['compute']
        found = self.open_operations()
        found += [each.message for each in store.read(claims_audit.audit)]
        servers = {row.uuid: row for row in store.rows(sa.select(instances).where(instances.c.deleted == sa.false()))}
        alive = {uuid: [row.host] for uuid, row in servers.items() if row.vm_state in ('active', 'stopped')}
        guests = self.guests()
        found += [f'server {uuid}: guests on {guests.get(uuid)}, should be on {alive.get(uuid)}'
                  for uuid in sorted({*guests, *alive}) if guests.get(uuid) != alive.get(uuid)]
        charged = sum(row.instances for row in store.rows(sa.select(usages)))
        if charged != len(servers):
            found.append(f'quotas say {charged} servers, there are {len(servers)}')
        ports = self.stores['network'].rows(sa.text(
            "SELECT device_id FROM ports WHERE device_owner LIKE 'compute:%'"))  # type: ignore[arg-type]
        count = collections.Counter(row.device_id for row in ports)
        found += [f'server {uuid} has {count[uuid]} ports' for uuid in sorted({*count, *alive})
                  if count[uuid] != (uuid in alive)]
        return found

    def settled(self, timeout: float = 60) -> None:
        """Return when nothing goes on and everything agrees."""
        last: list[str] = []

        def agree() -> bool:
            last[:] = self.wrong()
            return not last
        try:
            wait_for(agree, timeout, 'agreement')
        except AssertionError as error:
            raise AssertionError(f'{error}: {last}') from None


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[Cluster]:
    """Start a cluster, and remove it at the end."""
    cluster = Cluster(folder, **options)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.remove()


__all__ = ['Client', 'Cloud', 'Cluster', 'Daemon', 'Timer', 'running', 'wait_for']
