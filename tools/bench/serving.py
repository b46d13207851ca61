"""Scenarios of the Compute API: its whole pipeline over WSGI in this process, on SQLite, with fake neighbours.

Everything is what a daemon runs but for the HTTP server: the pipelines of api-paste.ini, a signed token that is
checked, the request log. Servers are put into the store by SQL.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import itertools
import json
import logging
import random
import sys
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from oslo_config import cfg
from oslo_log import log

from compute import conf as options
from compute import service
from compute.api.app import make_app
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.clients.group_names import GroupNames
from compute.db import instances, migrate
from compute.db.session import Database
from compute.db.tables import instances as table
from compute.objects.flavor import Flavor
from compute.objects.image import Image
from compute.objects.instance import Instance
from compute.objects.nic import FixedIp, Nic
from compute.rest import app as pipelines
from compute.rest.claims import Claims, Named, Place
from compute.rest.tokens import TokenChecker

TIME = datetime.datetime(2026, 11, 20, 12, 0, 0)
PROJECT = '0123456789abcdef0123456789abcdef'


class Bus:
    """Takes every message and delivers none."""

    def client(self, interface: Any, server: str | None = None) -> Any:
        """Return something whose every method does nothing."""
        return self

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda context, **arguments: None


class Identity:
    """Makes one token, and is where its key and the revocations (none) are fetched from."""

    def __init__(self) -> None:
        key = Ed25519PrivateKey.generate()
        self._jwk = {**json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(key.public_key())), 'kid': 'k', 'alg': 'EdDSA'}
        claims = Claims(
            user=Place('u' * 32, 'demo', 'default', 'Default'), methods=('password',), audit_ids=('a' * 22,),
            revision=0, issued_at=int(time.time()), expires_at=int(time.time()) + 36000,
            project=Place(PROJECT, 'demo', 'default', 'Default'), roles=(Named('r1', 'member'), Named('r2', 'reader')))
        payload = json.dumps(claims.to_wire()).encode()
        self.token = jwt.PyJWS().encode(payload, key, algorithm='EdDSA', headers={'kid': 'k'})

    def keys(self) -> list[dict[str, str]]:
        """Return the public key."""
        return [self._jwk]

    def revocations(self, since: int) -> dict[str, Any]:
        """Return that nothing was revoked."""
        return {'number': 0, 'newest': 0, 'kids': ['k'], 'events': []}


class Served:
    """The Compute API with ``size`` servers in its store."""

    def __init__(self, folder: str, size: int) -> None:
        conf = options.register(cfg.ConfigOpts())
        log.register_options(conf)
        conf([], project='compute', default_config_files=[], default_config_dirs=[])
        log.setup(conf, 'compute')
        _quiet_logs()
        conf.set_override('connection', f'sqlite:///{folder}/compute.sqlite', 'database')
        for name in ('instances', 'cores', 'ram'):
            conf.set_override(name, -1, 'quota')
        self.db = Database(conf.database.connection, conf.database)
        migrate.upgrade(self.db, 'compute.db.versions', 'compute_version')
        images, networks = FakeImages(), FakeNetworks()
        self.network = networks.add_network(project_id=PROJECT, name='net')
        self.group = networks.add_group(PROJECT, 'default')
        self.image = images.add(Image(id=str(uuid.uuid4()), name='debian', disk_format='raw'), b'x').id
        cloud = SimpleNamespace(conf=conf, db=self.db, rpc=Bus(), images=images, networks=networks, identity=None,
                                host='api', group_names=GroupNames(networks))
        with contextlib.suppress(ImportError):  # a tree of before has none
            from compute.clients.recent import Recent
            cloud.recent = Recent(0)
        identity = Identity()
        self._token = identity.token
        lent = pipelines.Lent(conf, {'compute': make_app(cloud)}, TokenChecker(conf, identity))
        self._wsgi = pipelines.load(service.default_paste(), 'compute', lent)
        self.ids = [str(uuid.UUID(int=random.Random(number).getrandbits(128), version=4)) for number in range(size)]
        self._fill()

    def call(self, method: str, path: str, body: Any = None) -> bytes:
        """Send a request and return the body of its answer, which must be a success."""
        raw = json.dumps(body).encode() if body is not None else b''
        told: list[str] = []
        path, _, query = path.partition('?')
        environ = {
            'REQUEST_METHOD': method, 'PATH_INFO': f'/v2.1{path}', 'QUERY_STRING': query, 'SCRIPT_NAME': '',
            'SERVER_NAME': '127.0.0.1', 'SERVER_PORT': '8774', 'HTTP_HOST': '127.0.0.1:8774',
            'SERVER_PROTOCOL': 'HTTP/1.1', 'wsgi.url_scheme': 'http', 'wsgi.input': io.BytesIO(raw),
            'wsgi.errors': sys.stderr, 'wsgi.version': (1, 0), 'wsgi.multithread': True, 'wsgi.multiprocess': False,
            'wsgi.run_once': False, 'CONTENT_TYPE': 'application/json', 'CONTENT_LENGTH': str(len(raw)),
            'REMOTE_ADDR': '127.0.0.1', 'HTTP_X_AUTH_TOKEN': self._token, 'HTTP_ACCEPT': 'application/json',
            'HTTP_OPENSTACK_API_VERSION': 'compute 2.93', 'HTTP_USER_AGENT': 'bench'}
        chunks = self._wsgi(environ, lambda status, headers, problem=None: told.append(status))
        answer = b''.join(chunks)
        if hasattr(chunks, 'close'):
            chunks.close()
        if not told[0].startswith('2'):
            raise RuntimeError(f'{method} {path}: {told[0]} {answer[:300]!r}')
        return answer

    def add_flavor(self) -> str:
        """Put a flavor into the store and return its id."""
        from compute.db import flavors
        self.db.transaction(lambda connection: flavors.insert(connection, FLAVOR))
        return FLAVOR.flavorid

    def _fill(self) -> None:
        rows = [instances.to_row(self._server(number, key)) for number, key in enumerate(self.ids)]
        for start in range(0, len(rows), 1000):
            self.db.transaction(lambda connection, part=rows[start:start + 1000]: connection.execute(
                table.insert(), part))

    def _server(self, number: int, key: str) -> Instance:
        nic = Nic(port_id=str(uuid.uuid4()), network_id=self.network, network_name='net', mac='fa:16:3e:00:00:01',
                  fixed_ips=(FixedIp(address=f'10.{number >> 16}.{number >> 8 & 255}.{number & 255}',
                                     subnet_id=self.network),), security_groups=(self.group,), active=True)
        time = TIME + datetime.timedelta(seconds=number)
        return Instance(
            uuid=key, project_id=PROJECT, user_id='u' * 32, name=f'vm-{number}', hostname=f'vm-{number}',
            flavor=FLAVOR, image=Image(id=self.image, name='debian'), nics=(nic,), vm_state='active', power_state=1,
            host=f'host-{number % 50}', node=f'host-{number % 50}', availability_zone='nova', reservation_id='r-1',
            launched_at=time, created_at=time, updated_at=time)


FLAVOR = Flavor(id=1, flavorid='1', name='small', vcpus=1, memory_mb=512, root_gb=1)


def _quiet_logs() -> None:
    """Format every record, as a daemon does, and keep none."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open('/dev/null', 'w'))  # noqa: SIM115


def show(folder: str, size: int) -> Callable[[], None]:
    """GET one server."""
    served = Served(folder, size)
    ids = itertools.cycle(served.ids)
    return lambda: _want(served.call('GET', f'/servers/{next(ids)}'), b'"server"')


def short(folder: str, size: int) -> Callable[[], None]:
    """GET a page of up to 1,000 servers, ids and names."""
    served = Served(folder, size)
    return lambda: _want(served.call('GET', '/servers'), b'"servers"')


def detail(folder: str, size: int) -> Callable[[], None]:
    """GET a page of up to 1,000 servers with all that is known of them."""
    served = Served(folder, size)
    return lambda: _want(served.call('GET', '/servers/detail'), b'"servers"')


def page(folder: str, size: int) -> Callable[[], None]:
    """GET the page of 20 servers in the middle of all."""
    served = Served(folder, size)
    middle = served.ids[size // 2]
    return lambda: _want(served.call('GET', f'/servers/detail?limit=20&marker={middle}'), b'"servers"')


def create(folder: str, size: int) -> Callable[[], None]:
    """POST a server: the checks and the transaction; nobody builds it."""
    served = Served(folder, size)
    flavor = served.add_flavor()
    body = {'server': {'name': 'vm', 'imageRef': served.image, 'flavorRef': flavor,
                       'networks': [{'uuid': served.network}]}}
    return lambda: _want(served.call('POST', '/servers', body), b'"server"')


def _want(answer: bytes, part: bytes) -> None:
    if part not in answer:
        raise RuntimeError(f'not the answer that was expected: {answer[:200]!r}')


SCENARIOS = {'show': show, 'list': short, 'detail': detail, 'page': page, 'create': create}
