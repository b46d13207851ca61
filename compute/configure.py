"""Reads the configuration of a process and sets up its log: the first thing that every program does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from oslo_config import cfg
from oslo_log import log

from compute import conf as options
from compute import journal, proxies
from compute.health import release
from compute.rpc import defaults

_QUIET = ('amqp=WARN', 'kombu=WARN', 'oslo.messaging=INFO', 'oslo_messaging=INFO', 'urllib3=WARN', 'requests=WARN',
          'keystoneauth=WARN', 'keystonemiddleware=WARN', 'sqlalchemy=WARN', 'alembic=WARN', 'pyroute2=WARN',
          'stevedore=WARN', 'routes=WARN', 'asyncio=WARN', 'opentelemetry=CRITICAL',
          'oslo_messaging._drivers.impl_rabbit=WARN')


def configure(argv: list[str], program: str, extra: Callable[[Any], None] | None = None, *,
              description: str | None = None, epilog: str | None = None) -> cfg.ConfigOpts:
    """Read the configuration into the global ``cfg.CONF`` and set up logs.

    :param extra: may register CLI options.
    :param description: of the program, for ``--help``, and ``epilog``: its examples.
    """
    conf = cfg.CONF
    options.register(conf)
    log.register_options(conf)
    log.set_defaults(
        logging_context_format_string='%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s '
                                      '[%(global_request_id)s %(request_id)s %(project_id)s %(user)s%(trace)s] '
                                      '%(instance)s%(message)s',
        default_log_levels=[*log.get_default_log_levels(), *_QUIET])
    defaults.apply()
    if extra is not None:
        extra(conf)
    conf(argv, project='compute', prog=program, version=release(), description=description,
         epilog=epilog)
    proxies.bypass_for_this_machine()
    journal.prepare(conf)
    log.setup(conf, 'compute', release())
    return conf
