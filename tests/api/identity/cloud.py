"""A whole identity daemon for one test: bootstrapped, behind the pipeline that it has in life, without sockets."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import webob
from oslo_config import cfg

from compute import conf as options
from compute.builtin.identity.bootstrap import bootstrap
from compute.builtin.identity.daemon import IdentityDaemon
from compute.rest.app import Lent, load

PASTE = str(pathlib.Path(__file__).parents[3] / 'etc/compute/api-paste.ini')
HOST = 'http://127.0.0.1:5000'
ADMIN, SERVICE = 'admin-password', 'service-password'
Answer = webob.Response


def make_conf(folder: pathlib.Path, **identity: Any) -> cfg.ConfigOpts:
    """Return a configuration whose store and keys lie in ``folder``."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute')
    url = os.environ.get('IDENTITY_TEST_DATABASE', f'sqlite:///{folder}/identity.sqlite')
    conf.set_override('identity_connection', url, 'database')
    for name, value in {'key_repository': f'{folder}/keys', 'password_hash_rounds': 4, **identity}.items():
        conf.set_override(name, value, 'identity')
    return conf


class Cloud:
    """The daemon and a client of it. ``ids`` is what bootstrap returned."""

    def __init__(self, folder: pathlib.Path, url: str = HOST, **identity: Any) -> None:
        self.conf = make_conf(folder, **identity)
        self.daemon = IdentityDaemon(self.conf, None)
        self.daemon.prepare()
        self.url, self.address = url, '192.0.2.1'
        self.ids = self.bootstrap()
        self.wsgi = load(PASTE, 'identity', Lent(self.conf, self.daemon.applications(), self.daemon.check_token(),
                                                 self.daemon.health))

    def bootstrap(self, **changes: Any) -> dict[str, Any]:
        """Run bootstrap, with other arguments where given."""
        endpoints = {'identity': {'name': 'keystone', 'public': f'{self.url}/v3', 'internal': f'{self.url}/v3',
                                  'admin': f'{self.url}/v3'},
                     'compute': {'name': 'nova', 'public': 'http://127.0.0.1:8774/v2.1'},
                     'volumev3': {'name': 'cinder', 'public': 'http://127.0.0.1:8776/v3/$(project_id)s'}}
        return bootstrap(self.daemon.app.database, **{
            'admin_password': ADMIN, 'service_password': SERVICE, 'region': 'RegionOne', 'rounds': 4,
            'endpoints': endpoints, **changes})

    def send(self, method: str, path: str, body: Any = None, token: str | None = None, **headers: str) -> Answer:
        """Send a request and return the answer."""
        request = webob.Request.blank(path, method=method, base_url=HOST)
        if body is not None:
            request.body, request.content_type = json.dumps(body).encode(), 'application/json'
        request.environ['REMOTE_ADDR'] = self.address
        if token:
            request.headers['X-Auth-Token'] = token
        request.headers.update({name.replace('_', '-'): value for name, value in headers.items()})
        return request.get_response(self.wsgi)

    def login(self, identity: dict[str, Any], scope: Any = None) -> Answer:
        """Ask for a token."""
        auth: dict[str, Any] = {'identity': identity}
        if scope is not None:
            auth['scope'] = scope
        return self.send('POST', '/v3/auth/tokens', {'auth': auth})

    def token(self, identity: dict[str, Any], scope: Any = None) -> str:
        """Return a token, which there must be."""
        answer = self.login(identity, scope)
        assert answer.status_code == 201, answer.text
        return str(answer.headers['X-Subject-Token'])

    @property
    def admin(self) -> str:
        """A fresh token of the administrator."""
        return self.token(password('admin', ADMIN), project('admin'))

    def make(self, words: str, word: str, **body: Any) -> dict[str, Any]:
        """Create something as the administrator and return it."""
        answer = self.send('POST', f'/v3/{words}', {word: body}, self.admin)
        assert answer.status_code == 201, answer.text
        return dict(answer.json[word])

    def member(self, name: str = 'alice', role: str = 'member') -> tuple[str, str]:
        """Make a user (whose password is its name) with a role on a project of its own; return the ids of both."""
        project_id = self.make('projects', 'project', name=f'{name}-project')['id']
        user_id = self.make('users', 'user', name=name, password=name)['id']
        path = f'/v3/projects/{project_id}/users/{user_id}/roles/{self.ids["roles"][role]}'
        assert self.send('PUT', path, token=self.admin).status_code == 204
        return user_id, project_id

    def alive(self, token: str) -> bool:
        """Tell whether a token is accepted."""
        status = self.send('GET', '/v3/auth/projects', token=token).status_code
        assert status in (200, 401)
        return status == 200


def password(name: str, secret: str, domain: str = 'Default') -> dict[str, Any]:
    """Return the identity part of a login by name and password."""
    return {'methods': ['password'],
            'password': {'user': {'name': name, 'domain': {'name': domain}, 'password': secret}}}


def by_token(token: str) -> dict[str, Any]:
    """Return the identity part of a login by token."""
    return {'methods': ['token'], 'token': {'id': token}}


def project(name: str, domain: str = 'Default') -> dict[str, Any]:
    """Return the scope of a project."""
    return {'project': {'name': name, 'domain': {'name': domain}}}
