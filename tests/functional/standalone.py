"""The whole product in one real process, with the fake driver: started, killed and started again like a user's.

``Standalone`` writes a configuration into a folder of the test's, bootstraps identity once, and runs
compute-standalone on free ports. ``Client`` is as much of an API client as tests need: a token and JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

from tests import threads
from tests.ports import free_ports
from tests.waiting import LONG, wait_until

ADMIN_PASSWORD, SERVICE_PASSWORD = 'admin-secret', 'service-secret'
SERVICES = {'identity': '/v3', 'image': '', 'network': '', 'compute': '/v2.1'}
ROOT = Path(__file__).parents[2]
NAMES = {'identity': 'keystone', 'image': 'glance', 'network': 'neutron', 'compute': 'nova'}
_RUN = 'import sys; from compute.cmd.standalone import main; sys.exit(main())'


def wait_for(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Return the first true result of ``condition``. A bound below ``LONG`` is raised to it: it only ends a hang."""
    return wait_until(condition, what, timeout)


class Standalone:
    """One installation in a folder. ``overrides`` maps groups to options."""

    def __init__(self, folder: Path, overrides: dict[str, dict[str, Any]] | None = None,
                 concurrency: str = threads.GREEN) -> None:
        self.folder, self.concurrency = folder, concurrency
        ports = free_ports(6)
        self.ports = dict(zip((*SERVICES, 'metadata', 'health'), ports, strict=True))
        self.conf = folder / 'compute.conf'
        self.log = folder / 'compute.log'
        self._write(overrides or {})
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, service: str) -> str:
        """Return the base of a service's URLs."""
        return f'http://127.0.0.1:{self.ports[service]}{SERVICES[service]}'

    def _write(self, overrides: dict[str, dict[str, Any]]) -> None:
        folder = self.folder
        groups: dict[str, dict[str, Any]] = {
            'DEFAULT': {'host': 'node1', 'transport_url': 'kombu+memory://', 'log_file': self.log, 'debug': True,
                        'http_idle_grace': 0.2},
            'database': {f'{prefix}connection': f'sqlite:///{folder}/{prefix}db.sqlite'
                         for prefix in ('', 'identity_', 'image_', 'network_')},
            'auth': {'url': self.url('identity'), 'revocation_interval': 0.2},
            'service_user': {'password': SERVICE_PASSWORD},
            'identity': {'key_repository': folder / 'keys', 'password_hash_rounds': 4},
            'image': {'store_path': folder / 'images'}, 'virt': {'driver': 'fake'},
            'metadata': {'shared_secret': 'metadata-secret'},
            'network_agent': {'driver': 'fake', 'state_dir': folder / 'agent',
                              'metadata_shared_secret': 'metadata-secret'},
            'worker': {'state_path': folder / 'worker', 'heartbeat_interval': 1},
            'conductor': {'lease': 15, 'begin_timeout': 5, 'reaper_interval': 0.5, 'heartbeat_interval': 2,
                          'service_down_time': 40},
            'fake': {'state_dir': folder / 'guests'},
            'health': {'listen_port': self.ports['health'], 'interval': 0.5}}
        for service, group in (('identity', 'identity'), ('image', 'image'), ('network', 'network'),
                               ('compute', 'api'), ('metadata', 'metadata')):
            groups.setdefault(group, {})['listen_port'] = self.ports[service]
        for group, options in overrides.items():
            groups.setdefault(group, {}).update(options)
        lines = []
        for group, options in groups.items():
            lines += [f'[{group}]', *(f'{name} = {value}' for name, value in options.items())]
        self.conf.write_text('\n'.join(lines) + '\n')

    def bootstrap(self) -> None:
        """Fill identity: admin, the service user, the catalog."""
        subprocess.run([sys.executable, '-W', 'ignore', '-m', 'tests.functional.bootstrap', str(self.conf), json.dumps(
            {kind: {'name': NAMES[kind], 'public': self.url(kind), 'internal': self.url(kind),
                    'admin': self.url(kind)} for kind in SERVICES})], check=True, timeout=LONG, cwd=ROOT)

    def start(self, run: str = _RUN) -> None:
        """Run it and return when its host has registered. ``run``: the program, where it is to misbehave."""
        environment = {**os.environ, 'COMPUTE_CONCURRENCY': self.concurrency, 'PYTHONWARNINGS': 'ignore'}
        mark = self.log.stat().st_size if self.log.exists() else 0
        with open(self.folder / 'output', 'ab') as output:
            self.process = subprocess.Popen([sys.executable, '-c', run, '--config-file', str(self.conf)],
                                            stdout=output, stderr=output, env=environment)
        wait_for(lambda: self._started(mark), 60, 'standalone')

    def _started(self, mark: int) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f'standalone ended: {self.tail()}')
        return self.log.exists() and 'worker runs' in self.log.read_text()[mark:]

    def tail(self) -> str:
        """Return the end of the log, for messages."""
        text = self.log.read_text() if self.log.exists() else (self.folder / 'output').read_text()
        return text[-3000:]

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Client:
    """Requests with a token, at a microversion."""

    def __init__(self, stack: Standalone, user: str = 'admin', password: str = ADMIN_PASSWORD,
                 project: str = 'admin', version: str = '2.100') -> None:
        self._stack, self.version = stack, version
        self._session = requests.Session()
        body = {'auth': {'identity': {'methods': ['password'], 'password': {'user': {
            'name': user, 'password': password, 'domain': {'id': 'default'}}}},
            'scope': {'project': {'name': project, 'domain': {'id': 'default'}}}}}
        answer = self._session.post(f'{stack.url("identity")}/auth/tokens', json=body, timeout=LONG)
        answer.raise_for_status()
        self.project_id = answer.json()['token']['project']['id']
        self._session.headers['X-Auth-Token'] = answer.headers['X-Subject-Token']

    def call(self, method: str, service: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Send a request and return the answer, whatever it is."""
        headers = {'OpenStack-API-Version': f'compute {options.pop("version", self.version)}',
                   **options.pop('headers', {})}
        return self._session.request(method, f'{self._stack.url(service)}{path}', json=body, headers=headers,
                                     timeout=LONG, **options)

    def ok(self, method: str, service: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send a request that must succeed and return its JSON."""
        answer = self.call(method, service, path, body, **options)
        assert answer.ok, f'{method} {path}: {answer.status_code} {answer.text}'
        return answer.json() if answer.content else None

    def server(self, uuid: str) -> dict[str, Any]:
        """Return a server."""
        return self.ok('GET', 'compute', f'/servers/{uuid}')['server']  # type: ignore[no-any-return]

    def wait(self, uuid: str, status: str, timeout: float = 30) -> dict[str, Any]:
        """Wait until a server is idle in a status."""
        def there() -> dict[str, Any] | None:
            server = self.server(uuid)
            done = server['status'] == status and server['OS-EXT-STS:task_state'] is None
            if server['status'] == 'ERROR' and status != 'ERROR':
                raise AssertionError(f'server is in ERROR: {server.get("fault")}')
            return server if done else None
        return wait_for(there, timeout, f'status {status}')  # type: ignore[no-any-return]

    def act(self, uuid: str, action: str, value: Any = None) -> requests.Response:
        """Post an action."""
        return self.call('POST', 'compute', f'/servers/{uuid}/action', {action: value})

    def gone(self, uuid: str, timeout: float = 30) -> None:
        """Wait until a server is no longer there."""
        wait_for(lambda: self.call('GET', 'compute', f'/servers/{uuid}').status_code == 404, timeout, 'the end')


class Cloud:
    """What most tests begin with: an image, a flavor and a network."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.image = self.image_of(client, 'tiny', b'x' * 4096)
        self.flavor = client.ok('POST', 'compute', '/flavors', {'flavor': {
            'name': 'f1', 'ram': 256, 'vcpus': 1, 'disk': 1}})['flavor']['id']
        self.network = client.ok('POST', 'network', '/v2.0/networks', {'network': {'name': 'net1'}})['network']['id']
        client.ok('POST', 'network', '/v2.0/subnets', {'subnet': {
            'network_id': self.network, 'cidr': '10.7.0.0/20', 'ip_version': 4}})

    @staticmethod
    def image_of(client: Client, name: str, data: bytes, disk_format: str = 'raw') -> str:
        """Upload an image and return its id."""
        image = client.ok('POST', 'image', '/v2/images', {
            'name': name, 'disk_format': disk_format, 'container_format': 'bare', 'visibility': 'public'})
        answer = client.call('PUT', 'image', f'/v2/images/{image["id"]}/file', data=data,
                             headers={'Content-Type': 'application/octet-stream'})
        assert answer.status_code == 204, answer.text
        return str(image['id'])

    def request(self, **values: Any) -> dict[str, Any]:
        """Return the body of a create."""
        return {'server': {'name': 's1', 'imageRef': self.image, 'flavorRef': self.flavor,
                           'networks': [{'uuid': self.network}], **values}}

    def create(self, **values: Any) -> str:
        """Begin to create a server and return its id."""
        server = self.client.ok('POST', 'compute', '/servers', self.request(**values))['server']
        return str(server['id'])

    def ports(self, uuid: str) -> list[dict[str, Any]]:
        """Return the ports of a server."""
        return self.client.ok('GET', 'network', f'/v2.0/ports?device_id={uuid}')['ports']  # type: ignore[no-any-return]


@contextlib.contextmanager
def running(folder: Path, **options: Any) -> Iterator[Standalone]:
    """Bootstrap, start, and stop at the end."""
    stack = Standalone(folder, **options)
    stack.bootstrap()
    stack.start()
    try:
        yield stack
    finally:
        stack.stop()
