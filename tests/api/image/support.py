"""An image daemon in this process, over WSGI, whose tokens are ``user:project:role,role``."""

from __future__ import annotations

import json
import os
from typing import Any

import webob
from oslo_config import cfg

from compute import conf as options
from compute.builtin.image.daemon import ImageDaemon
from compute.exception import Unauthorized
from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext

MEMBER, OTHER, READER = 'ann:p1:member,reader', 'bob:p2:member,reader', 'rea:p1:reader'
ADMIN, NOBODY = 'root:p0:admin,member,reader', 'nil:p1:'
PATCH = 'application/openstack-images-v2.1-json-patch'


def make_conf(folder: Any, **overrides: Any) -> cfg.ConfigOpts:
    """Return options for a daemon that keeps everything below ``folder``, or rows where IMAGE_TEST_DATABASE says."""
    conf = options.register(cfg.ConfigOpts())
    conf([], project='compute', default_config_files=[], default_config_dirs=[])
    url = os.environ.get('IMAGE_TEST_DATABASE') or f'sqlite:///{folder}/image.sqlite'
    conf.set_override('image_connection', url, 'database')
    conf.set_override('store_path', f'{folder}/images', 'image')
    for name, value in overrides.items():
        conf.set_override(name, value, 'image')
    return conf


def check_token(token: str) -> dict[str, str]:
    """Read a token of the tests. :raises Unauthorized:"""
    try:
        user, project, roles = token.split(':')
    except ValueError:
        raise Unauthorized('The token is not valid.') from None
    return {'X-User-Id': user, 'X-Project-Id': project, 'X-Roles': roles}


def guarded(daemon: ImageDaemon) -> Any:
    """Return the daemon's application behind the checks of its pipeline."""
    return Authenticate(MakeContext(daemon.applications()['image']), check_token)


class Images:
    """Sends requests to a prepared daemon."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self.daemon = ImageDaemon(conf)
        self.daemon.prepare()
        self.wsgi = guarded(self.daemon)

    def __call__(self, method: str, path: str, body: Any = None, *, token: str | None = MEMBER,
                 headers: dict[str, str] | None = None, status: int | None = None) -> webob.Response:
        """Send one request; with ``status`` the answer must have it."""
        request = webob.Request.blank(path, method=method)
        if isinstance(body, bytes):
            request.content_type, request.body = 'application/octet-stream', body
        elif body is not None:
            request.content_type = PATCH if method == 'PATCH' else 'application/json'
            request.body = json.dumps(body).encode()
        if token:
            request.headers['X-Auth-Token'] = token
        request.headers.update(headers or {})
        answer = request.get_response(self.wsgi)
        assert status is None or answer.status_int == status, f'{method} {path}: {answer.status} {answer.text[:500]}'
        return answer

    def make(self, *, data: bytes | None = None, token: str = MEMBER, **body: Any) -> str:
        """Make an image and return its id."""
        body = {'name': 'im', 'disk_format': 'raw', 'container_format': 'bare', **body}
        image_id = self('POST', '/v2/images', body, token=token, status=201).json['id']
        if data is not None:
            self('PUT', f'/v2/images/{image_id}/file', data, token=token, status=204)
        return str(image_id)

    def names(self, query: str = '', token: str = MEMBER) -> list[str]:
        """Return the names of a list."""
        return [image['name'] for image in self('GET', f'/v2/images{query}', token=token, status=200).json['images']]

    def close(self) -> None:
        """Stop the daemon."""
        self.daemon.stop()
