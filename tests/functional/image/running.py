"""The identity and the image daemon as processes of their own on free ports, and the real ``openstack`` client."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import urllib.request
from typing import Any

from tests import threads, waiting
from tests.ports import free_ports

BIN = pathlib.Path(sys.executable).parent
ROOT = pathlib.Path(__file__).parents[3]
PASSWORD = 'functional-secret'


class Running:
    """Start it, use it, ``close`` it."""

    def __init__(self, folder: pathlib.Path, concurrency: str = threads.GREEN, **image: Any) -> None:
        self.folder, self._concurrency = folder, concurrency
        self.image_port, self._identity_port = free_ports(2)
        self.store = folder / 'images'
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._write_conf(image)
        self._bootstrap()
        for name in ('identity', 'image'):
            self.start(name)

    @property
    def url(self) -> str:
        """The image daemon."""
        return f'http://127.0.0.1:{self.image_port}'

    def start(self, name: str) -> None:
        """Start a daemon and wait until it is healthy."""
        code = f'import sys; from compute.cmd.{name} import main; sys.argv = [{name!r}, "--config-file", ' \
               f'{str(self.folder / "compute.conf")!r}]; sys.exit(main())'
        with open(self.folder / f'{name}.log', 'ab') as output:
            self._processes[name] = subprocess.Popen([sys.executable, '-c', code], stdout=output, stderr=output,
                                                     cwd=ROOT, env=self._environ())
        port = self.image_port if name == 'image' else self._identity_port
        wait_until(lambda: self._healthy(name, port), f'{name} does not come up', 60)

    def kill(self, name: str) -> None:
        """End a daemon with SIGKILL."""
        self._processes[name].send_signal(signal.SIGKILL)
        self._processes[name].wait()

    def peak_memory(self, name: str) -> int:
        """Return the largest resident size of a daemon so far, in bytes."""
        status = pathlib.Path(f'/proc/{self._processes[name].pid}/status').read_text()
        line = next(line for line in status.splitlines() if line.startswith('VmHWM'))
        return int(line.split()[1]) * 1024

    def openstack(self, *words: str, check: bool = True) -> Any:
        """Run the client as the administrator; return its JSON or text, or without ``check`` the ended process."""
        environ = {'PATH': os.environ['PATH'], 'HOME': str(self.folder), 'OS_USERNAME': 'admin',
                   'OS_PASSWORD': PASSWORD, 'OS_PROJECT_NAME': 'admin', 'OS_USER_DOMAIN_ID': 'default',
                   'OS_PROJECT_DOMAIN_ID': 'default', 'OS_IDENTITY_API_VERSION': '3', 'PYTHONWARNINGS': 'ignore',
                   'OS_AUTH_URL': f'http://127.0.0.1:{self._identity_port}/v3'}
        done = subprocess.run([BIN / 'openstack', *words], capture_output=True, env=environ, timeout=120, text=True)
        if not check:
            return done
        assert done.returncode == 0, f'{words}: {done.stderr}'
        return json.loads(done.stdout) if '-f' in words else done.stdout

    def token(self) -> str:
        """Return a token of the administrator."""
        return str(self.openstack('token', 'issue', '-f', 'json')['id'])

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(120)
            except subprocess.TimeoutExpired:
                process.kill()

    def _healthy(self, name: str, port: int) -> bool:
        if self._processes[name].poll() is not None:
            raise AssertionError((self.folder / f'{name}.log').read_text()[-3000:])
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{port}/healthcheck', timeout=120) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _write_conf(self, image: dict[str, Any]) -> None:
        data = self.folder
        options = '\n'.join(f'{name} = {value}' for name, value in image.items())
        (data / 'compute.conf').write_text(f"""
[DEFAULT]
transport_url = kombu+memory://
[auth]
url = http://127.0.0.1:{self._identity_port}/v3
[service_user]
password = {PASSWORD}
[database]
connection = sqlite:///{data}/compute.sqlite
identity_connection = sqlite:///{data}/identity.sqlite
image_connection = sqlite:///{data}/image.sqlite
network_connection = sqlite:///{data}/network.sqlite
[identity]
listen_host = 127.0.0.1
listen_port = {self._identity_port}
key_repository = {data}/keys
password_hash_rounds = 4
[image]
listen_host = 127.0.0.1
listen_port = {self.image_port}
store_path = {self.store}
{options}
""")

    def _bootstrap(self) -> None:
        code = f'import sys; from compute.cmd.manage import main; sys.exit(main(["--config-file", ' \
               f'{str(self.folder / "compute.conf")!r}, *sys.argv[1:]]))'
        words = ['identity', 'bootstrap', '--endpoint', f'image={self.url}', '--endpoint',
                 f'identity=http://127.0.0.1:{self._identity_port}/v3']
        done = subprocess.run([sys.executable, '-c', code, *words], cwd=ROOT, capture_output=True, text=True,
                              env={**self._environ(), 'OS_BOOTSTRAP_PASSWORD': PASSWORD})
        assert done.returncode == 0, done.stderr

    def _environ(self) -> dict[str, str]:
        return {**os.environ, 'COMPUTE_CONCURRENCY': self._concurrency, 'PYTHONPATH': str(ROOT)}


def wait_until(condition: Any, problem: str, seconds: float = 20) -> None:
    """Return when a condition holds. :raises AssertionError: it does not in time."""
    waiting.wait_until(condition, problem, seconds)
