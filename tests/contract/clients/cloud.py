"""A cloud in this process for the REST clients: WSGI applications behind host names, reached without sockets."""

from __future__ import annotations

import datetime
import io
import json
import uuid
from collections.abc import Callable
from typing import Any

import requests
import requests.adapters
import urllib3
import webob
from oslo_config import cfg

from compute import conf as options
from compute.clients.session import Connection, connection

Wsgi = Callable[[dict[str, Any], Any], Any]
SERVICE = 'service:p0:admin,member,reader'


class WsgiAdapter(requests.adapters.BaseAdapter):
    """Sends requests to applications by host name; a name without one does not answer. ``log`` keeps what was sent."""

    def __init__(self, applications: dict[str, Wsgi]) -> None:
        super().__init__()
        self.applications = applications
        self.log: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Answer one request."""
        self.log.append(request)
        host = urllib3.util.parse_url(request.url or '').host or ''
        if host not in self.applications:
            raise requests.ConnectionError(urllib3.exceptions.NewConnectionError(  # type: ignore[arg-type]
                None, f'no application at {host}'), request=request)
        ask = webob.Request.blank(request.url, method=request.method, headers=dict(request.headers))
        ask.body = request.body.encode() if isinstance(request.body, str) else request.body or b''
        answer = ask.get_response(self.applications[host])
        response = requests.Response()
        response.status_code, response.reason = answer.status_int, answer.status
        response.headers.update(answer.headers)
        response.raw, response.url, response.request = io.BytesIO(answer.body), request.url or '', request
        response.raw.release_conn = lambda: None  # type: ignore[attr-defined]
        return response

    def close(self) -> None:
        """Do nothing."""


class TinyIdentity:
    """Just enough of Identity for the service user to log in. Its token is one that the tests' checks understand."""

    def __init__(self, services: dict[str, str], token: str = SERVICE) -> None:
        self._services, self._token = services, token
        self.logins = 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        request = webob.Request(environ)
        if request.path == '/v3/auth/tokens' and request.method == 'POST':
            self.logins += 1
            expires = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
            catalog = [{'id': uuid.uuid4().hex, 'type': kind, 'name': kind, 'endpoints': [
                {'id': uuid.uuid4().hex, 'interface': 'public', 'region': 'RegionOne', 'region_id': 'RegionOne',
                 'url': url}]} for kind, url in self._services.items()]
            token = {'methods': ['password'], 'user': {'id': 'service', 'name': 'compute', 'domain': {'id': 'default'}},
                     'expires_at': expires.strftime('%Y-%m-%dT%H:%M:%S.000000Z'), 'catalog': catalog, 'roles': []}
            answer = webob.Response(json.dumps({'token': token}), status=201, content_type='application/json',
                                    charset='UTF-8')
            answer.headers['X-Subject-Token'] = self._token
        else:
            answer = webob.Response('{}', status=404, content_type='application/json', charset='UTF-8')
        return answer(environ, start_response)


def make_conf(**service_user: Any) -> cfg.ConfigOpts:
    """Return options whose Identity is at ``http://identity``."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    conf.set_override('url', 'http://identity/v3', 'auth')
    for name, value in {'password': 'secret-of-the-service', 'retries': 1, **service_user}.items():
        conf.set_override(name, value, 'service_user')
    return conf


def connect(conf: cfg.ConfigOpts, applications: dict[str, Wsgi]) -> WsgiAdapter:
    """Let the clients of this configuration reach applications by host name."""
    adapter = WsgiAdapter(applications)
    made: Connection = connection(conf)
    made._pool.mount('http://', adapter)
    return adapter
