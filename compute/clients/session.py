"""How the core talks to its neighbours: keystoneauth1 sessions, endpoints of the catalog, errors as kinds of ours.

``Connection`` is one service user with one pool of connections; ``Neighbour`` is one service seen through it. A request
carries the caller's token if the context has one, so that the neighbour applies its own rules, and the service user's
otherwise (over RPC no token travels). Endpoints come from the service user's catalog in both cases. Every request is
bounded in time; one that may be repeated without harm is, while the service does not answer.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Hashable
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions
from keystoneauth1 import exceptions as ksa
from keystoneauth1 import plugin
from keystoneauth1.identity import v3
from keystoneauth1.session import Session, TCPKeepAliveAdapter
from oslo_config import cfg

from compute import context as ctx
from compute import exception, tracing
from compute.clients.faults import from_response, without_secrets
from compute.clients.markup import is_html, plain
from compute.context import RequestContext

LOG = logging.getLogger(__name__)
_POOL = 32
_BUSY = frozenset((502, 503, 504))
_REPEATABLE = frozenset(('GET', 'HEAD', 'PUT', 'DELETE'))
_CONNECT = (ksa.ConnectFailure, ksa.ConnectTimeout, ksa.UnknownConnectionError, ksa.RetriableConnectionFailure)


class CallerToken(plugin.BaseAuthPlugin):
    """Sends the caller's token; endpoints come from the service user's catalog."""

    def __init__(self, token: str, service: v3.Password) -> None:
        super().__init__()
        self._token, self._service = token, service

    def get_token(self, session: Session, **kwargs: Any) -> str:
        """Return the caller's token."""
        return self._token

    def get_endpoint(self, session: Session, **kwargs: Any) -> str | None:
        """Return an endpoint of the service user's catalog. keystoneauth1 authenticates that user if need be."""
        return self._service.get_endpoint(session, **kwargs)


class Pool(requests.Session):
    """Connections that ask the environment once for each neighbour, and not before each request, for a proxy.

    A netrc file is not looked into: requests carry tokens.
    """

    def __init__(self) -> None:
        super().__init__()
        self.auth = _as_it_is
        self._settings: dict[Hashable, dict[str, Any]] = {}

    def merge_environment_settings(self, url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        """Return what requests would; the environment of a daemon does not change."""
        if proxies:
            return super().merge_environment_settings(url, proxies, stream, verify, cert)
        key = (*urlsplit(str(url))[:2], stream, verify, cert)
        if key not in self._settings:
            self._settings[key] = dict(super().merge_environment_settings(url, {}, stream, verify, cert))
        return {**self._settings[key], 'proxies': dict(self._settings[key]['proxies'])}


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class Connection:
    """The service user of ``[service_user]`` at the Identity of ``[auth] url``. Nothing is sent before it is needed."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        options = conf.service_user
        self.options, self.auth_url = options, conf.auth.url
        self.auth = v3.Password(
            auth_url=conf.auth.url, username=options.username, password=options.password,
            user_domain_name=options.user_domain_name, project_name=options.project_name,
            project_domain_name=options.project_domain_name, include_catalog=True)
        self._known: dict[str, str] = {}
        self._pool = Pool()
        for scheme in ('http://', 'https://'):
            self._pool.mount(scheme, TCPKeepAliveAdapter(pool_connections=8, pool_maxsize=_POOL))
        self.service = self._session(self.auth)

    def user(self, token: str) -> Session:
        """Return a session with a caller's token, on the same pool."""
        return self._session(CallerToken(token, self.auth))

    def endpoint(self, service_type: str) -> str:
        """Return the URL of a service, the last known one while Identity does not answer.

        :raises Unavailable: the service user cannot log in, or there is no such service in its catalog.
        """
        try:
            catalog = self.auth.get_access(self.service).service_catalog
        except ksa.ClientException as error:
            if service_type in self._known:
                return self._known[service_type]
            raise exception.Unavailable(
                f'The service user {self.options.username!r} gets no token from Identity at '
                f'{without_secrets(self.auth_url)}: {_reason(error)}', code='identity_unavailable') from error
        for interface in (self.options.interface, 'public'):
            found = catalog.get_urls(service_type=service_type, interface=interface,
                                     region_name=self.options.region_name)
            if found:
                self._known[service_type] = url = str(found[0]).rstrip('/')
                return url
        raise exception.Unavailable(
            f'The catalog of Identity at {without_secrets(self.auth_url)} has no {service_type} service in region '
            f'{self.options.region_name}', code='no_endpoint')

    def peek(self, url: str, timeout: float) -> int:
        """Return the status of a GET without a token. :raises Unavailable: nobody answers."""
        try:
            with self._pool.get(url, timeout=timeout, stream=True, allow_redirects=False,
                                verify=self.options.cafile or True) as response:
                return int(response.status_code)
        except requests.RequestException as error:
            raise exception.Unavailable(f'{without_secrets(url)} does not answer ({type(error).__name__})') from error

    def _session(self, auth: plugin.BaseAuthPlugin) -> Session:
        return Session(auth=auth, session=self._pool, verify=self.options.cafile or True,
                       timeout=self.options.timeout, user_agent='compute', redirect=3)


_connections: dict[int, tuple[cfg.ConfigOpts, Connection]] = {}
_lock = threading.Lock()


def connection(conf: cfg.ConfigOpts) -> Connection:
    """Return the one connection of this configuration: one token and one pool for all clients of a daemon."""
    with _lock:
        if id(conf) not in _connections:
            _connections[id(conf)] = (conf, Connection(conf))
        return _connections[id(conf)][1]


def service_session(conf: cfg.ConfigOpts) -> Session:
    """Return the session of the service user. It logs in at its first request."""
    return connection(conf).service


def user_session(conf: cfg.ConfigOpts, token: str) -> Session:
    """Return a session with a caller's token and the endpoints of the service user's catalog."""
    return connection(conf).user(token)


class Neighbour:
    """One service. ``suffix`` is the version that its catalog URL may lack."""

    def __init__(self, conf: cfg.ConfigOpts, service_type: str, suffix: str = '') -> None:
        self._connection = connection(conf)
        self._type, self._suffix = service_type, suffix

    def request(self, method: str, path: str, *, context: RequestContext | None = None, service: bool = False,
                repeatable: bool | None = None, once: bool = False, **options: Any) -> requests.Response:
        """Send one request and return its answer, which is a success.

        :param service: act as the service user even if the context has a token.
        :param repeatable: sending it twice does no harm; None: by the method.
        :param once: do not send it again, not even if it never arrived: who asks can do without.
        :param options: ``json``, ``params``, ``headers``, ``stream``, ``timeout``, as keystoneauth1 takes them.
        :raises Unavailable: no answer, 5xx, or the service user cannot log in. :raises NotFound Forbidden Unauthorized
            Conflict TooLarge Invalid: the answer's status says so.
        """
        url = self.url(path)
        own = service or context is None or not context.auth_token
        session = self._connection.service if own else self._connection.user(context.auth_token)  # type: ignore[union-attr,arg-type]
        if repeatable is None:
            repeatable = method in _REPEATABLE
        origin = context or ctx.current()  # hosts act as the service user, but for somebody
        with tracing.span(f'{method} {self._type}', tracing.CLIENT, origin.trace if origin else None, {
                'http.request.method': method, 'url.full': without_secrets(url), 'peer.service': self._type}) as span:
            headers = {**_ids(origin), **(span.trace.headers if span.trace else {}), **options.pop('headers', {})}
            response = self._send(session, method, url, repeatable, once, headers=headers, **options)
            span.note('http.response.status_code', response.status_code)
            if response.status_code >= 400:
                span.fail(f'{response.status_code} {response.reason}')
        if response.status_code >= 400:
            raise from_response(self._type, url, response, own)
        return response

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send one request and return the JSON of its answer. :raises Unavailable: it is none."""
        response = self.request(method, path, **options)
        try:
            return response.json()
        except ValueError as error:
            raise exception.Unavailable(
                f'The {self._type} service at {without_secrets(response.url)} answered something that is not JSON',
                code='bad_answer', for_users=f'The {self._type} service answered something that is not JSON. Retry '
                'later; if that does not help, tell an administrator.') from error

    def url(self, path: str) -> str:
        """Return the URL of a path. :raises Unavailable: see ``Connection.endpoint``."""
        base = self._connection.endpoint(self._type)
        if self._suffix and not base.endswith(self._suffix):
            base += self._suffix
        return base + path

    def _send(self, session: Session, method: str, url: str, repeatable: bool, once: bool,
              **options: Any) -> requests.Response:
        last = 0 if once else self._connection.options.retries
        for attempt in range(last + 1):
            try:
                response = session.request(url, method, raise_exc=False, log=False, **options)
                if response.status_code not in _BUSY or not repeatable or attempt == last:
                    return response
                response.close()
                LOG.debug('%s %s: %s, sent again', method, url, response.status_code)
            except _CONNECT as error:
                if attempt == last or not (repeatable or _never_arrived(error)):
                    raise self._silent(url, error) from error
                LOG.debug('%s %s: %s, sent again', method, url, error)
            except ksa.ClientException as error:  # the service user could not renew its token
                raise self._silent(url, error) from error
            _pause(attempt)
        raise AssertionError('unreachable')

    def _silent(self, url: str, error: Exception) -> exception.Unavailable:
        return exception.Unavailable(f'The {self._type} service at {without_secrets(url)} does not answer: '
                                     f'{_reason(error)}', code=f'{self._type}_unavailable')


def _pause(attempt: int) -> None:
    time.sleep(min(2.0, 0.2 * 2 ** attempt) * random.uniform(0.7, 1.3))


def _ids(context: RequestContext | None) -> dict[str, str]:
    if context is None:
        return {}
    request_id = getattr(context, 'global_request_id', None) or context.request_id
    return {'X-OpenStack-Request-ID': request_id} if request_id else {}


def _never_arrived(error: BaseException | None) -> bool:
    """Tell whether no connection was made, so that the request cannot have had an effect."""
    seen: list[Any] = [error]
    while seen:
        cause = seen.pop()
        if isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
            return True
        if isinstance(cause, BaseException) and len(seen) < 32:
            seen += [cause.__cause__, getattr(cause, 'reason', None), *cause.args]
            seen += [cause.__context__] if cause.__cause__ is None else []
    return False


def _reason(error: Exception) -> str:
    text = without_secrets(str(error).split('\n')[0])
    return plain(text, 300) if is_html(text) else text[:300]
