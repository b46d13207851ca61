"""A private RabbitMQ and a private MariaDB for one test cluster, each killed, stopped and started at will.

Both are run directly, without a supervisor, so that a test can take either away at any moment. Nothing outside of the
given folder is touched; the port mapper of Erlang is private too, so that several clusters may run on one machine.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import amqp
import pymysql

from tests.functional.standalone import wait_for

DATABASES = {'compute': 'connection', 'identity': 'identity_connection', 'image': 'image_connection',
             'network': 'network_connection'}
_PASSWORD = 'private'
_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server'
_CONTROL = '/usr/lib/rabbitmq/bin/rabbitmqctl'


def missing() -> list[str]:
    """Return the programs that a cluster needs and this machine does not have."""
    return [name for name in (_SERVER, 'epmd', 'mariadbd', 'mariadb-install-db') if shutil.which(name) is None]


def answers(port: int) -> bool:
    """Tell whether somebody listens on a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(('127.0.0.1', port)) == 0


def end_group(process: subprocess.Popen[bytes] | None, number: int = signal.SIGKILL) -> None:
    """Send a signal to a process and all it started, and wait for its end."""
    if process is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(300)


class Broker:
    """One RabbitMQ node. Durable queues and their messages survive a restart only as far as RabbitMQ promises it."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self._folder, (self.port, self._distribution, self._epmd) = folder, ports
        self._process: subprocess.Popen[bytes] | None = None
        self._mapper: subprocess.Popen[bytes] | None = None
        (folder / 'log').mkdir(parents=True)
        (folder / 'plugins').write_text('[].\n')
        (folder / 'rabbitmq.conf').write_text(
            f'listeners.tcp.local = 127.0.0.1:{self.port}\ndefault_user = compute\ndefault_pass = {_PASSWORD}\n'
            'log.console = true\nlog.console.level = warning\ndisk_free_limit.absolute = 50MB\n')

    @property
    def url(self) -> str:
        """The transport URL."""
        return self.url_at(self.port)

    @staticmethod
    def url_at(port: int) -> str:
        """Return the transport URL of a port that leads to it."""
        return f'rabbit://compute:{_PASSWORD}@127.0.0.1:{port}/'

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {**os.environ, 'HOME': str(folder), 'RABBITMQ_NODENAME': f'faults{self.port}@localhost',
                'RABBITMQ_MNESIA_BASE': f'{folder}/mnesia', 'RABBITMQ_LOG_BASE': f'{folder}/log', 'RABBITMQ_LOGS': '-',
                'RABBITMQ_PID_FILE': f'{folder}/pid', 'RABBITMQ_ENABLED_PLUGINS_FILE': f'{folder}/plugins',
                'RABBITMQ_CONFIG_FILE': f'{folder}/rabbitmq', 'RABBITMQ_CONF_ENV_FILE': f'{folder}/none',
                'RABBITMQ_DIST_PORT': str(self._distribution), 'ERL_EPMD_PORT': str(self._epmd),
                'ERL_EPMD_ADDRESS': '127.0.0.1',
                'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '+sbwt none -kernel inet_dist_use_interface {127,0,0,1}'}

    def start(self) -> None:
        """Run it and return when it takes connections."""
        with open(self._folder / 'output', 'ab') as output:
            if self._mapper is None:
                self._mapper = subprocess.Popen(['epmd', '-address', '127.0.0.1', '-port', str(self._epmd)],
                                                stdout=output, stderr=output, start_new_session=True)
                wait_for(lambda: answers(self._epmd), 20, 'epmd')
            self._process = subprocess.Popen(
                [_SERVER, '-noinput'], env=self._environment(), stdout=output,
                stderr=output, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for(self._takes_connections, 90, 'RabbitMQ')

    def _takes_connections(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self._folder / 'output').read_text()[-2000:]
        try:
            self._connect().close()
        except (OSError, amqp.AMQPError):
            return False
        return True

    def _connect(self) -> Any:
        connection = amqp.Connection(f'127.0.0.1:{self.port}', userid='compute', password=_PASSWORD, connect_timeout=60)
        connection.connect()
        return connection

    def purge(self, queues: Iterable[str]) -> int:
        """Throw away what waits in queues; return how many messages that were."""
        connection = self._connect()
        try:
            return sum(int(connection.channel().queue_purge(queue)) for queue in queues)
        finally:
            connection.close()

    def waiting(self, queue: str) -> int:
        """Return how many messages wait in a queue."""
        connection = self._connect()
        try:
            return int(connection.channel().queue_declare(queue, passive=True).message_count)
        finally:
            connection.close()

    def connections(self) -> dict[int, int]:
        """Return how many channels each connection has, by the port at the client's end, as the node counts them."""
        told = subprocess.run([_CONTROL, '--quiet', 'list_connections', '--no-table-headers', 'peer_port', 'channels'],
                              env=self._environment(), check=True, timeout=300, capture_output=True, text=True).stdout
        return {int(port): int(channels) for port, channels in (line.split() for line in told.splitlines())}

    def kill(self) -> None:
        """End the node as a power cut does."""
        end_group(self._process)
        self._process = None

    def stop(self) -> None:
        """End the node in order: it says good-bye to its clients first."""
        end_group(self._process, signal.SIGTERM)
        self._process = None

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def remove(self) -> None:
        """End all of it."""
        self.kill()
        end_group(self._mapper)


class MariaDb:
    """One server with the stores of all daemons."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self.port = folder, port
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self._user = getpass.getuser()
        subprocess.run(['mariadb-install-db', '--no-defaults', f'--datadir={folder}/data', f'--user={self._user}',
                        '--skip-test-db', '--auth-root-authentication-method=socket'], check=True, timeout=120,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        lines = [f"CREATE USER IF NOT EXISTS 'compute'@'127.0.0.1' IDENTIFIED BY '{_PASSWORD}';"]
        for name in DATABASES:
            lines += [f'CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;',
                      f"GRANT ALL ON {name}.* TO 'compute'@'127.0.0.1';"]
        (folder / 'init.sql').write_text('\n'.join(lines) + '\n')

    def url(self, name: str) -> str:
        """Return the URL of a store."""
        return f'mysql+pymysql://compute:{_PASSWORD}@127.0.0.1:{self.port}/{name}'

    def start(self) -> None:
        """Run it and return when it answers."""
        folder = self._folder
        with open(folder / 'output', 'ab') as output:
            self._process = subprocess.Popen(
                ['mariadbd', '--no-defaults', f'--datadir={folder}/data', f'--socket={folder}/s',
                 f'--pid-file={folder}/pid', f'--port={self.port}',
                 '--bind-address=127.0.0.1', '--skip-name-resolve',
                 '--max-connections=500', f'--init-file={folder}/init.sql', f'--user={self._user}',
                 '--performance-schema=OFF', '--innodb-flush-log-at-trx-commit=2'], stdout=output, stderr=output,
                 start_new_session=True)
        wait_for(lambda: answers(self.port), 60, 'MariaDB')

    def cut_connections(self) -> int:
        """End every connection of the daemons, at the server's end; return how many there were."""
        with pymysql.connect(unix_socket=f'{self._folder}/s', user='root', autocommit=True) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT id FROM information_schema.processlist WHERE user = 'compute'")
            found = [row[0] for row in cursor.fetchall()]
            for number in found:
                with contextlib.suppress(pymysql.err.OperationalError):  # it ended by itself
                    cursor.execute(f'KILL {int(number)}')
        return len(found)

    def connections(self) -> list[int]:
        """Return the ports at the clients' end of all connections of the daemons, as the server counts them."""
        with pymysql.connect(unix_socket=f'{self._folder}/s', user='root', autocommit=True) as connection:
            cursor = connection.cursor()
            cursor.execute("SELECT host FROM information_schema.processlist WHERE user = 'compute'")
            return [int(row[0].rpartition(':')[2]) for row in cursor.fetchall()]

    def kill(self) -> None:
        """End it as a power cut does."""
        end_group(self._process)
        self._process = None

    def stop(self) -> None:
        """End it in order."""
        end_group(self._process, signal.SIGTERM)
        self._process = None

    def pause(self) -> None:
        """Let it accept connections and answer nothing, as a hanging machine does."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)
