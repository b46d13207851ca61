"""The WSGI application: GET of documents, and the password that a guest may post once."""

from __future__ import annotations

import base64
import logging
import re
import threading
import time
from collections import OrderedDict
from typing import Any

from sqlalchemy.engine import Connection

from compute import exception
from compute.db import injected_files, instances
from compute.http.reader import REFUSAL
from compute.metadata import documents, identity
from compute.objects import guest_documents
from compute.objects.instance import Instance
from compute.rest.errors import TITLES, for_caller

LOG = logging.getLogger(__name__)
_MAX_PASSWORD = 1024
_MAX_CACHED = 5000
_CONTENT = re.compile(f'/openstack/{guest_documents.CONTENT}/([0-9]{{4}})/?')
_CONTROL = re.compile(r'[^\t\n\r\x20-\x7e]')


class Metadata:
    """Serves every server of the cloud; ``cloud`` gives store, options and names of security groups."""

    def __init__(self, cloud: Any) -> None:
        self._db, self._options = cloud.db, cloud.conf.metadata
        self._group_names = cloud.group_names.of
        self._cached: OrderedDict[str, tuple[float, Instance]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        environ['compute.route'] = 'documents'  # their paths have what users named in them
        try:
            status, body, kind = self._answer(environ)
        except exception.ComputeError as error:
            shown = for_caller(error, is_admin=False)
            status, body, kind = shown.status, f'{shown.message}\n'.encode(), 'text/plain; charset=utf-8'
        except Exception:
            LOG.exception('metadata %s failed', environ.get('PATH_INFO'))
            status, body, kind = 500, b'An unexpected error\n', 'text/plain; charset=utf-8'
        reason = 'OK' if status == 200 else TITLES.get(status, 'Error')
        start_response(f'{status} {reason}', [('Content-Type', kind), ('Content-Length', str(len(body)))])
        return [body]

    def _answer(self, environ: dict[str, Any]) -> tuple[int, bytes, str]:
        if (refusal := environ.get(REFUSAL)) is not None:
            raise refusal
        method, path = environ['REQUEST_METHOD'], environ.get('PATH_INFO', '/')
        uuid, project = identity.caller(environ, self._options.shared_secret)
        instance = self._instance(uuid)
        if project is not None and project != instance.project_id:
            raise exception.NotFound(f'There is no server {uuid} in project {project}')
        if path.rstrip('/').endswith('/password') and path.startswith('/openstack/'):
            return self._password(method, instance, environ)
        if method not in ('GET', 'HEAD'):
            raise exception.ComputeError(f'{method} is not allowed here', status=405)
        if match := _CONTENT.fullmatch(path):
            body, kind = self._content(instance, int(match[1])), 'application/octet-stream'
            return 200, body if method == 'GET' else b'', kind
        body = documents.lookup(instance, path, self._group_names)
        kind = 'application/json' if path.endswith('.json') else 'text/plain; charset=utf-8'
        return 200, body if method == 'GET' else b'', kind

    def _instance(self, uuid: str) -> Instance:
        """Return a server, at most ``cache_time`` old: guests ask for many documents at once."""
        time_now = time.monotonic()
        with self._lock:
            found = self._cached.get(uuid)
        if found is not None and found[0] > time_now:
            return found[1]
        instance: Instance = self._db.read(lambda connection: instances.get(connection, uuid))
        with self._lock:
            self._cached[uuid] = (time_now + self._options.cache_time, instance)
            while len(self._cached) > _MAX_CACHED:
                self._cached.popitem(last=False)
        return instance

    def _content(self, instance: Instance, number: int) -> bytes:
        """Return the content of a file that the user put into the server. It is not cached: it may be large."""
        content = self._db.read(lambda connection: injected_files.content(connection, instance.uuid, number))
        if content is None:
            raise exception.NotFound(f'{guest_documents.CONTENT}/{number:04} does not exist')
        return base64.b64decode(content)

    def _password(self, method: str, instance: Instance, environ: dict[str, Any]) -> tuple[int, bytes, str]:
        kind = 'text/plain; charset=utf-8'
        if method == 'GET':
            return 200, self._db.read(lambda connection: instances.password(connection, instance.uuid)).encode(), kind
        if method != 'POST':
            raise exception.ComputeError(f'{method} is not allowed here', status=405)
        length = int(environ.get('CONTENT_LENGTH') or 0)
        if length > _MAX_PASSWORD:
            raise exception.Invalid(f'The password has {length} bytes; the limit is {_MAX_PASSWORD}')
        try:
            text = environ['wsgi.input'].read(length).decode('ascii') if length else ''
        except UnicodeDecodeError:
            raise exception.Invalid('The password must be ASCII, as an encrypted and base64-encoded one is') from None
        if _CONTROL.search(text):
            raise exception.Invalid('The password has a control character in it')

        def write(connection: Connection) -> None:
            if instances.password(connection, instance.uuid):
                raise exception.Conflict('A password was posted before; it can be posted once')
            instances.merge_extra(connection, instance.uuid, password=text)
        self._db.transaction(write)
        return 200, b'', kind
