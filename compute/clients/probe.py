"""Watches the neighbours: a small request that needs no token, as a load balancer would send it."""

from __future__ import annotations

import re
import time

from oslo_config import cfg

from compute import exception
from compute.clients.session import connection
from compute.health import Probe

_VERSION = re.compile(r'/v[0-9.]+$')
_TIMEOUT = 5.0


def neighbour(conf: cfg.ConfigOpts, service_type: str) -> Probe:
    """Return a probe of a service of the catalog. Without it a daemon serves what does not need it."""
    def look() -> float:
        known = connection(conf)
        base = known.auth_url if service_type == 'identity' else known.endpoint(service_type)
        begin = time.perf_counter()
        status = known.peek(_VERSION.sub('', base.rstrip('/')) + '/healthcheck', _TIMEOUT)
        if status >= 500:
            raise exception.Unavailable(f'{service_type} answered {status}')
        return time.perf_counter() - begin
    return Probe(service_type, look, slow_above=2.0, reason='an answer took {value:.1f} s', rarely=True)
