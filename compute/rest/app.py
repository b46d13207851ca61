"""paste.deploy factories: from a pipeline in api-paste.ini to a WSGI application.

paste passes strings only, so a daemon first lends its objects under a handle (``lend``) and passes the handle as the
pipeline's ``handle``; the factories look it up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from paste import deploy

from compute.rest.middleware.auth import Authenticate
from compute.rest.middleware.context import MakeContext
from compute.rest.middleware.public_url import CheckForwarded, KeepPeer, PublicUrl
from compute.rest.middleware.request_id import RequestId
from compute.rest.middleware.request_log import RequestLog
from compute.rest.middleware.size_limit import SizeLimit, body_limit
from compute.rest.middleware.trace import TraceRequest

Wsgi = Callable[[dict[str, Any], Any], Any]
_lent: dict[str, Any] = {}
_numbers = itertools.count(1)


class Lent:
    """What a pipeline may need: the configuration, the token checker, and the applications by name."""

    def __init__(self, conf: Any, applications: dict[str, Wsgi], check_token: Any = None,
                 health: Callable[[], list[str]] = list) -> None:
        self.conf, self.applications, self.check_token, self.health = conf, applications, check_token, health


def load(path: str, name: str, lent: Lent) -> Wsgi:
    """Build the pipeline or composite ``name`` of the file at ``path``."""
    handle = str(next(_numbers))
    _lent[handle] = lent
    return deploy.loadapp(f'config:{path}', name=name, global_conf={'handle': handle})


def application_factory(global_conf: dict[str, str], *, name: str) -> Wsgi:
    """The application that the daemon lent under ``name``."""
    return _lent[global_conf['handle']].applications[name]


def auth_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Checks tokens: built-in ones here, or all of them by keystonemiddleware (``[auth] strategy``)."""
    lent = _lent[global_conf['handle']]
    if lent.conf.auth.strategy == 'keystone':
        from keystonemiddleware import auth_token
        # The kernel decides which operations need a token: version documents do not.
        options = {'oslo_config_config': lent.conf, 'delay_auth_decision': 'true'}
        return auth_token.filter_factory({**global_conf, **options, **local})
    return lambda app: Authenticate(app, lent.check_token)


def context_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Turns the identity headers into a request context."""
    return MakeContext


def request_log_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """One line per request, and its metrics."""
    name = _api(global_conf)
    return lambda app: RequestLog(app, name)


def trace_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """W3C Trace Context, and a span per request while spans are recorded. After the request id, before the log."""
    name = _api(global_conf)
    return lambda app: TraceRequest(app, name)


def _api(global_conf: dict[str, str]) -> str:
    return next(iter(_lent[global_conf['handle']].applications), 'unknown')


def request_id_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Gives every request an id and answers with it, under ``compat_headers`` as well."""
    more = tuple(name.strip() for name in local.get('compat_headers', '').split(',') if name.strip())
    return lambda app: RequestId(app, more)


def cors_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Lets browsers of the origins in ``[cors] allowed_origin`` use this API (oslo.middleware); none, no filter."""
    from oslo_middleware import CORS

    def make(app: Wsgi) -> Wsgi:
        cors = CORS(app, _lent[global_conf['handle']].conf)
        return cors if cors.allowed_origins else app
    return make


def proxy_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Determines the base URL of links: ``public_endpoint`` of the API, or the headers of a proxy.

    X-Forwarded-* are heeded if ``[oslo_middleware] enable_proxy_headers_parsing`` says so.
    """
    from oslo_middleware import HTTPProxyToWSGI
    conf = _lent[global_conf['handle']].conf
    group = {'compute': 'api'}.get(_api(global_conf), _api(global_conf))
    public = getattr(getattr(conf, group, None), 'public_endpoint', None)

    def make(app: Wsgi) -> Wsgi:
        app = PublicUrl(app, public) if public else app
        proxy = HTTPProxyToWSGI(CheckForwarded(app), conf)
        proxy.conf.update(local)
        return KeepPeer(proxy) if proxy._conf_get('enable_proxy_headers_parsing') else app
    return make


def sizelimit_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Says that bodies may have ``[oslo_middleware] max_request_body_size`` bytes, image data excepted."""
    largest = int(local.get('max_request_body_size') or body_limit(_lent[global_conf['handle']].conf))
    return lambda app: SizeLimit(app, largest)


def healthcheck_factory(global_conf: dict[str, str], **local: str) -> Callable[[Wsgi], Wsgi]:
    """Answers ``/healthcheck`` from what the daemon says of itself: 200 OK, or 503 with the reasons."""
    from compute.rest.middleware.health import HealthCheck
    return lambda app: HealthCheck(app, _lent[global_conf['handle']].health)
