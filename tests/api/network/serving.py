"""A network daemon in this process: its WSGI pipeline with tokens that say who they are, and no RPC unless given."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import webob
from oslo_config import cfg

from compute import conf as options
from compute.builtin.network.daemon import NetworkDaemon
from compute.exception import Unauthorized
from compute.objects.value import now
from compute.objects.wiring import AgentReport
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext

PROJECTS = {'admin': 'a' * 32, 'demo': 'd' * 32, 'other': 'e' * 32, 'reader': 'd' * 32, 'service': 'c' * 32,
            'roleless': 'd' * 32, 'manager': 'd' * 32}
ROLES = {'admin': 'admin,member,reader', 'demo': 'member,reader', 'other': 'member,reader', 'reader': 'reader',
         'service': 'service', 'roleless': 'visitor', 'manager': 'manager,member,reader'}


def check_token(token: str) -> dict[str, str]:
    """Take the name of a user as its token."""
    if token not in PROJECTS:
        raise Unauthorized('The token is not valid')
    return {'X-User-Id': f'user-{token}', 'X-User-Name': token, 'X-Project-Id': PROJECTS[token],
            'X-Project-Name': token, 'X-Roles': ROLES[token]}


def make_conf(url: str, **network: Any) -> cfg.ConfigOpts:
    """Return a configuration with this store."""
    conf = options.register(cfg.ConfigOpts())
    conf([], default_config_files=[], default_config_dirs=[])
    conf.set_override('network_connection', url, group='database')
    for name, value in network.items():
        conf.set_override(name, value, group='network')
    return conf


class Site:
    """The daemon and a client of it. Requests are of ``demo`` unless they say otherwise."""

    def __init__(self, url: str | None = None, rpc: Any = None, events: Any = None, **network: Any) -> None:
        self._folder = None if url else tempfile.TemporaryDirectory()
        url = url or f'sqlite:///{Path(self._folder.name)}/network.sqlite'  # type: ignore[union-attr]
        self.conf = make_conf(url, **network)
        self.daemon = NetworkDaemon(self.conf, rpc, events)
        self.daemon.prepare()
        self.reports = self.daemon.endpoints()[0]
        self.wsgi = Authenticate(MakeContext(self.daemon.applications()['network']), check_token)

    def close(self) -> None:
        """Remove everything."""
        self.daemon.stop()
        if self._folder is not None:
            self._folder.cleanup()

    def request(self, method: str, path: str, body: Any = None, user: str | None = 'demo') -> webob.Response:
        """Send a request below ``/v2.0``."""
        request = webob.Request.blank(f'/v2.0{path}', method=method)
        request.environ['RAW_PATH_INFO'] = f'/v2.0{path}'.partition('?')[0]
        if user is not None:
            request.headers['X-Auth-Token'] = user
        if body is not None:
            request.json_body = body
        return request.get_response(self.wsgi)

    def get(self, path: str, user: str = 'demo', status: int = 200) -> Any:
        """GET and return the body."""
        return self._answer(self.request('GET', path, user=user), status)

    def post(self, path: str, body: Any, user: str = 'demo', status: int = 201) -> Any:
        """POST and return the body."""
        return self._answer(self.request('POST', path, body, user), status)

    def put(self, path: str, body: Any, user: str = 'demo', status: int = 200) -> Any:
        """PUT and return the body."""
        return self._answer(self.request('PUT', path, body, user), status)

    def delete(self, path: str, user: str = 'demo', status: int = 204) -> Any:
        """DELETE and return the body of a refusal."""
        return self._answer(self.request('DELETE', path, user=user), status)

    def network(self, name: str = 'net', user: str = 'demo', **values: Any) -> dict[str, Any]:
        """Make a network."""
        return self.post('/networks', {'network': {'name': name, **values}}, user)['network']

    def subnet(self, network: dict[str, Any], cidr: str = '10.0.0.0/24', user: str = 'demo',
               **values: Any) -> dict[str, Any]:
        """Make a subnet."""
        body = {'network_id': network['id'], 'cidr': cidr, 'ip_version': 6 if ':' in cidr else 4, **values}
        return self.post('/subnets', {'subnet': body}, user)['subnet']

    def port(self, network: dict[str, Any], user: str = 'demo', status: int = 201, **values: Any) -> dict[str, Any]:
        """Make a port."""
        answer = self.post('/ports', {'port': {'network_id': network['id'], **values}}, user, status)
        return answer.get('port', answer)

    def agent(self, host: str = 'host1', **values: Any) -> None:
        """Let an agent report itself."""
        self.reports.heartbeat(None, report=AgentReport(
            host=host, incarnation='1', started_at=now().isoformat(), **values))

    @staticmethod
    def _answer(response: webob.Response, status: int) -> Any:
        assert response.status_int == status, f'{response.status}: {response.text}'
        return response.json if response.body else None
