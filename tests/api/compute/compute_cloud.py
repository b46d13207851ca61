"""The Compute API in this process over WSGI, on SQLite, whose tokens are ``user:project:role,role``."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import webob
from oslo_config import cfg

from compute import conf as options
from compute.api.app import make_app
from compute.clients.fake.identity import FakeIdentity
from compute.clients.fake.image import FakeImages
from compute.clients.fake.network import FakeNetworks
from compute.clients.group_names import GroupNames
from compute.clients.recent import Recent
from compute.db import hosts, migrate, services
from compute.db.session import Database
from compute.exception import Unauthorized
from compute.objects.host import Inventory
from compute.objects.registration import HostReport
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext
from tests.rpc_recorder import RecordedRpc

MEMBER, READER = 'ann:p1:member,reader', 'rea:p1:reader'
OTHER, NOBODY = 'bob:p2:member,reader', 'nil:p1:'
ADMIN = 'root:p0:admin,manager,member,reader'
MANAGER = 'max:p1:manager,member,reader'


def make_conf(url: str) -> cfg.ConfigOpts:
    """Return options with the store at ``url``."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    conf.set_override('connection', url, 'database')
    return conf


def check_token(token: str) -> dict[str, str]:
    """Read a token of the tests. :raises Unauthorized:"""
    try:
        user, project, roles = token.split(':')
    except ValueError:
        raise Unauthorized('The token is not valid.') from None
    return {'X-User-Id': user, 'X-Project-Id': project, 'X-Roles': roles}


class ComputeApi:
    """Sends requests to the API and reads what comes back. ``url`` names an empty store, migrated or not."""

    def __init__(self, url: str) -> None:
        self.conf = make_conf(url)
        self.db = Database(self.conf.database.connection, self.conf.database)
        migrate.upgrade(self.db, 'compute.db.versions', 'compute_version')
        self.images, self.networks, self.rpc = FakeImages(), FakeNetworks(), RecordedRpc()
        self.cloud = SimpleNamespace(conf=self.conf, db=self.db, rpc=self.rpc, images=self.images,
                                     networks=self.networks, identity=FakeIdentity(), host='api1',
                                     group_names=GroupNames(self.networks), recent=Recent(0))
        self.wsgi = Authenticate(MakeContext(make_app(self.cloud)), check_token)

    def __call__(self, method: str, path: str, body: Any = None, *, version: str | None = None,
                 token: str | None = MEMBER, status: int | None = None, prefix: str = '/v2.1') -> Any:
        """Send one request; with ``status`` the answer must have it. Returns the parsed body, or the text."""
        answer = self.send(method, prefix + path, body, version=version, token=token)
        if status is not None:
            assert answer.status_int == status, f'{method} {path}: {answer.status} {answer.text}'
        return json.loads(answer.body) if answer.body else None

    def send(self, method: str, path: str, body: Any = None, *, version: str | None = None,
             token: str | None = MEMBER) -> webob.Response:
        """Send one request and return the whole answer."""
        request = webob.Request.blank(path, method=method)
        if version is not None:
            request.headers['OpenStack-API-Version'] = f'compute {version}'
        if token is not None:
            request.headers['X-Auth-Token'] = token
        if body is not None:
            request.content_type, request.body = 'application/json', json.dumps(body).encode()
        return request.get_response(self.wsgi)

    def add_host(self, name: str, zone: str = 'nova', **inventory: Any) -> str:
        """Register a worker with its host and return its service's uuid."""
        uuid = '00000000-0000-4000-8000-' + f'{sum(name.encode()):012d}'
        def write(connection: Any) -> str:
            service = services.beat(connection, name, 'nova-compute', 'worker', 'one', zone)
            hosts.upsert(connection, HostReport(host=name, incarnation='one', node_uuid=uuid, availability_zone=zone),
                         Inventory(**{'node': name, 'vcpus': 8, 'memory_mb': 16384, 'disk_gb': 100,
                                      'cpu_info': {'arch': 'x86_64'}, 'uptime': 'up 3 days', **inventory}), service.id)
            return service.uuid
        return self.db.transaction(write)

    def close(self) -> None:
        """Let go of the store."""
        self.db.dispose()
