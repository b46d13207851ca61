"""Every option, one file per group. A group's module has ``GROUP`` and ``OPTS``; this one collects all there are."""

from __future__ import annotations

import copy
import importlib
import pkgutil
from typing import Any

from oslo_config import cfg

GROUPS = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def workers() -> cfg.IntOpt:
    """Return the option of REST daemons that can run as several processes."""
    return cfg.IntOpt('workers', default=1, min=1, help='Processes that serve the port. With more than one a parent '
                      'holds the socket: it starts a process again that dies, and SIGHUP replaces them one by one '
                      'without losing a request. Each needs memory and database connections of its own.')


def public_endpoint(port: int) -> cfg.URIOpt:
    """Return the option of REST daemons with the URL under which clients know them."""
    return cfg.URIOpt('public_endpoint', default=None, schemes=['http', 'https'], sample_default=f'https://cloud.example:{port}',
                      help='Base URL of links in responses (scheme, host, port and the path that a proxy puts '
                           'before this API, without a version). Without it, the URL is taken from the '
                           'request: its Host, or the X-Forwarded-* headers of a proxy if [oslo_middleware] '
                           'enable_proxy_headers_parsing is set.')


def modules() -> list[Any]:
    """Return the modules of all groups."""
    return [importlib.import_module(f'{__name__}.{name}') for name in GROUPS]


def register(conf: cfg.ConfigOpts) -> cfg.ConfigOpts:
    """Register every option of the project on ``conf`` and return it."""
    for module in modules():
        if module.GROUP.name == 'DEFAULT':
            conf.register_opts(module.OPTS)
        else:
            # A copy: oslo.config keeps values and overrides inside the group, which would be shared by every conf.
            group = copy.deepcopy(module.GROUP)
            conf.register_group(group)
            conf.register_opts(module.OPTS, group=group)
    return conf


def list_opts() -> list[tuple[Any, list[cfg.Opt]]]:
    """Return (group, options) pairs for oslo-config-generator."""
    return [(module.GROUP, module.OPTS) for module in modules()]
